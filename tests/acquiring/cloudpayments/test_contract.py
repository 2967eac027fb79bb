"""CloudPayments against the local bank, which speaks its protocol: the shared contract."""

from __future__ import annotations

from tests.acquiring.contract import AcquirerContract
from tests.acquiring.late import Late


class TestCloudPayments(AcquirerContract, Late):
    """Every promise of the contract."""

    reference_at_checkout = False
    declined_page_is_final = False
    remembers_voids = False
    tells_refunded = False
    shows_closed_pages = False
