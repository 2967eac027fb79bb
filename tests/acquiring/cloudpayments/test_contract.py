"""CloudPayments against the local bank, which speaks its protocol: the shared contract."""

from __future__ import annotations

from tests.acquiring.contract import AcquirerContract


class TestCloudPayments(AcquirerContract):
    """Every promise of the contract."""

    reference_at_checkout = False
    declined_page_is_final = False
    stops_unseen_orders = False
    tells_refunded = False
    shows_closed_pages = False
