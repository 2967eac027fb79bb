"""Ports: the two that a person chooses, and the ones inside that only have to be free and stay the same."""

import errno
import json
import os
import random
import socket
from collections.abc import Collection
from pathlib import Path

from local.places import NAME
from local.problem import Problem

# Below 32768, where Linux starts to hand out ports for outgoing connections: one of those could take ours any moment.
INSIDE = range(15000, 32000)


def asked(variable: str, default: int) -> int:
    """The port that the environment asks for. Raises Problem when it is no port."""
    text = os.environ.get(variable) or str(default)
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise Problem(f"{variable}={text} is not a port: a number from 1 to 65535 is needed.")
    return int(text)


def check_free(host: str, port: int, variable: str) -> None:
    """Raises Problem, naming the port and its variable, when nothing of ours can listen there."""
    try:
        with _socket(host) as probe:
            probe.bind((host, port))
    except socket.gaierror:
        raise Problem(f"HOST={host} is not an address of this machine.") from None
    except PermissionError:
        raise Problem(f"Port {port} needs more rights than you have: choose one above 1023 with {variable}.") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise Problem(f"HOST={host} is not an address of this machine.") from None
        raise Problem(
            f"Port {port} on {host} is taken ({error.strerror}). Stop the program that listens there, or choose "
            f"another port, for example: {variable}={port + 1} script/server"
        ) from None


def _socket(host: str) -> socket.socket:
    probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last connection has just ended is free
    return probe


def _free(port: int) -> bool:
    try:
        with _socket("127.0.0.1") as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def remembered(file: Path, *names: str, avoid: Collection[int] = ()) -> dict[str, int]:
    """A free port of 127.0.0.1 for every name: the one of the last time where it still is free."""
    try:
        known = {name: int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        known = {}
    dice = random.Random(f"{NAME}{file.name}")  # so that two checkouts do not try the same ports one after another
    taken = set(avoid)
    ports = {}
    for name in names:
        port = known.get(name, 0)
        while port not in INSIDE or port in taken or not _free(port):
            port = dice.choice(INSIDE)
        taken.add(port)
        ports[name] = port
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ports))
    return ports
