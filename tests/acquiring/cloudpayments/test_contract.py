"""CloudPayments against the local bank, which speaks its protocol: the shared contract."""

from __future__ import annotations

from acquiring.types import Charge, Clue, Outcome, RefundOrder
from tests.acquiring.contract import AcquirerContract
from tests.acquiring.far import of, on_page
from tests.acquiring.late import Late


class TestCloudPayments(AcquirerContract, Late):
    """Every promise of the contract."""

    reference_at_checkout = False
    declined_page_is_final = False
    remembers_voids = False
    keeps_orders = False
    tells_refunded = False
    shows_closed_pages = False

    def clue(self, subject: Charge | RefundOrder | Outcome) -> Clue:
        if isinstance(subject, RefundOrder):
            return of(subject)
        return on_page(subject) if isinstance(subject, Outcome) else self.hint()
