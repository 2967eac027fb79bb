"""Where YooKassa's notifications come from: they are not signed, so this is all that the sender can be known by."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

NETWORKS = tuple(
    ip_network(network)
    for network in (
        "185.71.76.0/27",
        "185.71.77.0/27",
        "77.75.153.0/25",
        "77.75.156.11/32",
        "77.75.156.35/32",
        "77.75.154.128/25",
        "2a02:5180::/32",
    )
)


def is_theirs(address: str) -> bool:
    """Whether YooKassa says that it sends from this address."""
    try:
        sender = ip_address(address.strip())
    except ValueError:
        return False
    return any(sender in network for network in NETWORKS)
