"""The part of the contract about what comes late: a repeat whose key is forgotten, news out of order or not ours."""

from __future__ import annotations

import pytest
from moneyed import Money

from acquiring.types import Status, Subject
from tests.acquiring.far import PRICE, Trips, charge, of, on_page, refund


class Late(Trips):
    """The shared tests of time and order."""

    def test_after_the_window_a_charge_is_found_before_it_could_be_repeated(self, acquirer, impatient, far):
        order = charge(token=self.token(acquirer, far))
        far.trouble("timeout_after")
        assert impatient.charge(order).status is Status.UNKNOWN
        far.forget()
        assert acquirer.fetch(Subject.PAYMENT, order.our_id).status is Status.SUCCEEDED
        assert [line[1] for line in far.moved()].count(order.our_id) == 1

    @pytest.mark.parametrize("others", [0, 1])
    def test_after_the_window_a_refund_is_found_before_it_could_be_repeated(
        self, acquirer, impatient, far, paid, others
    ):
        order = refund(paid, Money("100.00", "RUB"))
        far.trouble("timeout_after")
        assert impatient.refund(order).status is Status.UNKNOWN
        far.forget()
        for _ in range(others):  # of the same sum, and not ours to find
            acquirer.refund(refund(paid, Money("100.00", "RUB")))
        found = acquirer.fetch(Subject.REFUND, order.our_id, "", of(order))
        assert (found.status, found.our_id) == (Status.SUCCEEDED, order.our_id)
        unsent = refund(paid, Money("100.00", "RUB"))
        assert acquirer.fetch(Subject.REFUND, unsent.our_id, "", of(unsent)).absent

    def test_a_page_is_known_after_the_window(self, acquirer, far):
        opened = acquirer.checkout(charge())
        far.forget()
        found = acquirer.fetch(Subject.PAYMENT, opened.our_id, opened.reference, on_page(opened))
        assert (found.status, found.absent) == (Status.PENDING, False)

    def test_a_callback_of_another_sum_is_told_as_it_is(self, acquirer, far, paid):
        kind, headers, body = far.callback(0)
        changed = body.replace(b"299", b"298")
        notice = acquirer.parse(kind, far.signed(headers, changed), changed)
        assert (notice.outcome.status, notice.outcome.our_id) == (Status.SUCCEEDED, paid.our_id)
        assert notice.outcome.amount == PRICE - Money("1.00", "RUB")

    def test_callbacks_out_of_order_are_each_what_they_are(self, acquirer, far):
        far.trouble("callback_reordered")
        paid = self.pay(acquirer, far)
        order = refund(paid, Money("100.00", "RUB"))
        acquirer.refund(order)
        notices = [acquirer.parse(*far.callback(number)) for number in (0, 1)]
        told = [(notice.subject, notice.outcome.our_id, notice.outcome.status) for notice in notices]
        assert told == [
            (Subject.REFUND, order.our_id, Status.SUCCEEDED),
            (Subject.PAYMENT, paid.our_id, Status.SUCCEEDED),
        ]
