"""What every acquirer must keep, whoever it is. A backend is done when its test class over this one passes.

A test class gives the fixtures `acquirer`, `impatient` (the same with a short time-out), `stranger` (the same with a
wrong secret) and `far`: the other side.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from moneyed import Money

from acquiring.types import Decline, Status, Subject
from tests.acquiring.far import PRICE, charge, refund
from tests.acquiring.news import News


class AcquirerContract(News):
    """The shared tests."""

    # --- The page -------------------------------------------------------------------------------------------------

    def test_a_checkout_is_pending_and_leads_to_a_page(self, acquirer, far):
        order = charge()
        outcome = acquirer.checkout(order)
        assert (outcome.status, outcome.our_id, outcome.amount) == (Status.PENDING, order.our_id, PRICE)
        assert outcome.redirect_url.startswith("http")
        assert bool(outcome.reference) is self.reference_at_checkout
        assert far.moved() == []

    def test_a_paid_page_is_succeeded_by_both_ids(self, acquirer, far, paid):
        for reference in (paid.reference, "", "no-such-reference"):
            found = self.look(acquirer, paid, reference)
            assert (found.status, found.reference, found.amount) == (Status.SUCCEEDED, paid.reference, PRICE)
            assert found.refunded == (Money(0, "RUB") if self.tells_refunded else None)
            assert (found.occurred_at is not None) is self.tells_time
        assert far.moved() == [("charge", paid.our_id, 29900)]

    @pytest.mark.parametrize("group", ["retry_later", "another_card", "customer_action", "stop", "our_fault"])
    def test_a_declined_page_says_what_to_do_next(self, acquirer, far, group):
        if Decline(group) not in self.page_declines:
            pytest.skip("the page of this acquirer gives no such reason")
        outcome = self.pay(acquirer, far, decline=group)
        ended = Status.FAILED if self.declined_page_is_final else Status.PENDING
        assert outcome.status is ended
        assert outcome.decline is Decline(group) or not (self.declined_page_is_final or outcome.decline)
        assert far.moved() == []
        if outcome.decline:
            assert outcome.code
            assert outcome.message

    def test_another_card_pays_a_page_that_outlived_a_declined_one(self, acquirer, far):
        if self.declined_page_is_final:
            pytest.skip("a declined page is closed")
        opened = acquirer.checkout(charge())
        far.pay(opened, "retry_later")
        declined = self.look(acquirer, opened)
        far.pay(opened)
        found = self.look(acquirer, opened)
        assert declined.reference in ("", found.reference)  # once it is given, it never changes
        assert (found.status, found.decline, found.amount) == (Status.SUCCEEDED, None, PRICE)
        assert far.moved() == [("charge", opened.our_id, 29900)]

    def test_the_same_checkout_again_is_the_same_page(self, acquirer, far):
        order = charge()
        pages = [acquirer.checkout(order) for _ in range(2)]
        assert (pages[0].redirect_url == pages[1].redirect_url) is self.same_page
        for page in pages:
            far.pay(page)
        assert far.moved() == [("charge", order.our_id, 29900)]

    def test_a_checkout_of_a_paid_page_does_not_ask_for_money_again(self, acquirer, far):
        order = charge()
        far.pay(acquirer.checkout(order))
        far.pay(acquirer.checkout(order))
        assert len(far.moved()) == 1

    def test_an_order_never_sent_is_absent(self, acquirer):
        outcome = self.look(acquirer, charge())
        assert outcome.status is Status.UNKNOWN
        assert outcome.absent
        assert acquirer.fetch(Subject.PAYMENT, charge().our_id).absent is self.finds_by_our_id

    # --- Saved cards ----------------------------------------------------------------------------------------------

    def test_a_card_is_saved_only_when_asked(self, acquirer, far, paid):
        card = paid.card if self.tells_card else self.told_card(acquirer, far, paid)
        assert card is not None
        assert card.token == ""
        assert card.mask.endswith("4242")
        assert self.token(acquirer, far)

    def test_a_saved_card_is_charged_without_the_customer(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        outcome = acquirer.charge(order)
        assert (outcome.status, outcome.amount, outcome.our_id) == (Status.SUCCEEDED, PRICE, order.our_id)

    def test_the_same_charge_again_moves_money_once(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        assert acquirer.charge(order).reference == acquirer.charge(order).reference
        assert [line for line in far.moved() if line[1] == order.our_id] == [("charge", order.our_id, 29900)]

    def test_a_token_nobody_knows_is_declined(self, acquirer, far):
        assert acquirer.charge(charge(token="tok_nobody")).decline is Decline.ANOTHER_CARD

    def test_one_id_for_two_amounts_is_never_a_failure(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        acquirer.charge(order)
        again = acquirer.charge(replace(order, amount=Money("500.00", "RUB")))
        assert again.status is Status.UNKNOWN
        assert not again.absent
        assert self.look(acquirer, order).amount == PRICE

    def test_an_order_is_found_when_its_key_is_long_forgotten(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        done = acquirer.charge(order)
        far.forget()
        found = acquirer.fetch(Subject.PAYMENT, order.our_id, "", self.hint())
        assert (found.status, found.reference) == (Status.SUCCEEDED, done.reference)
        if self.keeps_orders:
            assert acquirer.charge(order).reference == done.reference
        assert [line[1] for line in far.moved()].count(order.our_id) == 1

    # --- When the network fails -----------------------------------------------------------------------------------

    def test_a_refused_connection_is_not_sent(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        far.trouble("refuse", 30)
        for outcome in (acquirer.checkout(charge()), acquirer.charge(order)):
            assert (outcome.status, outcome.decline) == (Status.FAILED, Decline.NOT_SENT)
        far.trouble("calm")
        assert self.look(acquirer, order).absent

    def test_a_lookup_or_a_void_that_was_not_sent_tells_nothing(self, acquirer, far, paid):
        far.trouble("refuse", 30)
        found = acquirer.fetch(Subject.PAYMENT, paid.our_id, paid.reference)
        voided = acquirer.void(paid.our_id, paid.reference)
        far.trouble("calm")
        assert (found.status, found.absent, voided.status) == (Status.UNKNOWN, False, Status.UNKNOWN)

    @pytest.mark.parametrize(("trouble", "moved"), [("timeout_before", 0), ("timeout_after", 1), ("error_after", 1)])
    def test_a_charge_without_an_answer_is_unknown_until_asked(self, acquirer, impatient, far, trouble, moved):
        order = charge(token=self.token(acquirer, far))
        outcome = self.troubled_charge(impatient, far, order, trouble)
        assert outcome.status is Status.UNKNOWN
        assert not outcome.absent
        truth = self.look(acquirer, order)
        assert truth.status is Status.SUCCEEDED if moved else self.not_begun(truth)
        kept = self.keeps_errors and trouble == "error_after"
        assert acquirer.charge(order).status is (Status.UNKNOWN if kept else Status.SUCCEEDED)
        assert [line[1] for line in far.moved()].count(order.our_id) == 1

    @pytest.mark.parametrize("trouble", ["timeout_before", "timeout_after", "error_after"])
    def test_a_checkout_without_an_answer_can_be_asked_again(self, acquirer, impatient, far, trouble):
        order = charge()
        far.trouble(trouble)
        assert impatient.checkout(order).status is Status.UNKNOWN
        kept = self.keeps_errors and trouble == "error_after"
        far.pay(self.look(acquirer, order) if kept else acquirer.checkout(order))
        assert far.moved() == [("charge", order.our_id, 29900)]

    @pytest.mark.parametrize(("trouble", "moved"), [("timeout_before", 0), ("timeout_after", 1), ("error_after", 1)])
    def test_a_refund_without_an_answer_is_unknown_until_asked(self, acquirer, impatient, far, paid, trouble, moved):
        order = refund(paid)
        far.trouble(trouble)
        assert impatient.refund(order).status is Status.UNKNOWN
        truth = self.look(acquirer, order)
        if moved and not self.names_refunds:
            assert (truth.status, truth.absent, truth.again) == (Status.UNKNOWN, False, True)
        else:
            assert truth.status is Status.SUCCEEDED if moved else truth.absent
        kept = self.keeps_errors and trouble == "error_after"
        assert acquirer.refund(order).status is (Status.UNKNOWN if kept else Status.SUCCEEDED)
        assert [line[0] for line in far.moved()] == ["charge", "refund"]

    def test_a_refund_refused_at_the_door_is_not_sent(self, acquirer, far, paid):
        far.trouble("refuse", 30)
        outcome = acquirer.refund(refund(paid))
        far.trouble("calm")
        assert outcome.decline is Decline.NOT_SENT

    def test_a_wrong_secret_says_nothing_of_the_order(self, acquirer, stranger, far, paid):
        order = charge(token=self.token(acquirer, far))
        moved = far.moved()
        for outcome in (stranger.charge(order), stranger.checkout(charge()), stranger.refund(refund(paid))):
            assert (outcome.status, outcome.decline, outcome.shut_out) == (Status.FAILED, Decline.OUR_FAULT, True)
        assert stranger.void(order.our_id, "").status is Status.UNKNOWN
        assert far.moved() == moved
        assert acquirer.charge(order).shut_out is False

    # --- Refunds --------------------------------------------------------------------------------------------------

    def test_parts_are_refunded_down_to_zero_and_no_further(self, acquirer, far, paid):
        for part in ("100.00", "198.99", "0.01"):
            assert acquirer.refund(refund(paid, Money(part, "RUB"))).status is Status.SUCCEEDED
        refused = acquirer.refund(refund(paid, Money("0.01", "RUB")))
        assert refused.status is Status.FAILED and refused.code
        assert refused.decline in (Decline.OUR_FAULT, None)  # None: it holds for an earlier try of this refund too
        clue = replace(self.clue(paid), amount=PRICE)
        told = acquirer.fetch(Subject.PAYMENT, paid.our_id, "", clue).refunded
        assert told == (PRICE if self.tells_refunded else None)
        assert sum(units for kind, _, units in far.moved() if kind == "refund") == 29900

    def test_more_than_was_paid_is_never_refunded(self, acquirer, far, paid):
        assert acquirer.refund(refund(paid, Money("299.01", "RUB"))).status is Status.FAILED
        assert len(far.moved()) == 1

    def test_the_same_refund_again_moves_money_once(self, acquirer, far, paid):
        order = refund(paid, Money("100.00", "RUB"))
        assert acquirer.refund(order).reference == acquirer.refund(order).reference
        assert len(far.moved()) == 2

    def test_a_refund_is_found_by_both_ids(self, acquirer, paid):
        done = acquirer.refund(order := refund(paid, Money("12.34", "RUB")))
        for reference in (done.reference, "") if self.names_refunds else (done.reference,):
            found = self.look(acquirer, order, reference)
            assert found.status is Status.SUCCEEDED
            assert found.amount == (Money("12.34", "RUB") if self.names_refunds else None)
            assert (found.our_id, found.reference) == (order.our_id, done.reference)

    def test_an_unpaid_page_cannot_be_refunded(self, acquirer, far):
        assert acquirer.refund(refund(acquirer.checkout(charge()))).status is Status.FAILED
        assert far.moved() == []

    # --- Void and capture -----------------------------------------------------------------------------------------

    def test_a_voided_page_takes_no_money(self, acquirer, far):
        opened = acquirer.checkout(charge())
        said = acquirer.void(opened.our_id, opened.reference, self.clue(opened)).status
        far.pay(opened)
        if self.closes_pages:
            assert said is Status.CANCELLED
            if self.shows_closed_pages:
                assert self.look(acquirer, opened).status is Status.CANCELLED
            assert far.moved() == []
        else:  # and it says so, for as long as it is open
            assert said is Status.PENDING
            assert acquirer.void(opened.our_id, opened.reference).status is Status.SUCCEEDED

    def test_a_void_of_a_paid_page_tells_that_it_was_paid(self, acquirer, paid):
        assert acquirer.void(paid.our_id, paid.reference).status is Status.SUCCEEDED

    def test_a_charge_that_arrives_after_its_void_is_refused(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        if not self.remembers_voids:
            assert acquirer.void(order.our_id, "", self.hint()).absent
            assert acquirer.void(order.our_id, "").absent is self.finds_by_our_id
            return
        assert acquirer.void(order.our_id, "", self.clue(order)).status is Status.CANCELLED
        assert acquirer.charge(order).status is self.late_answer
        assert self.look(acquirer, order).status is Status.CANCELLED
        assert order.our_id not in [line[1] for line in far.moved()]

    def test_a_page_asked_for_after_its_void_is_refused(self, acquirer, far):
        order = charge()
        acquirer.void(order.our_id, "", self.clue(order))
        assert acquirer.checkout(order).status is (self.late_answer if self.remembers_voids else Status.PENDING)
        if self.remembers_voids:
            assert self.look(acquirer, order).status is Status.CANCELLED

    def test_a_held_sum_is_captured_in_full_or_less_and_once(self, acquirer, far):
        part = Money("100.00", "RUB")
        held = self.pay(acquirer, far, capture=False)
        assert (held.status, held.amount, far.moved()) == (Status.AUTHORIZED, PRICE, [])
        for _ in range(2):
            taken = acquirer.capture(held.our_id, held.reference, charge(our_id=held.our_id, amount=part))
            assert (taken.status, taken.amount) == (Status.SUCCEEDED, part)
        assert far.moved() == [("charge", held.our_id, 10000)]

    def test_a_capture_without_an_answer_is_unknown_and_can_be_asked_again(self, acquirer, impatient, far):
        held = self.pay(acquirer, far, capture=False)
        order = charge(our_id=held.our_id)
        far.trouble("timeout_after")
        assert impatient.capture(held.our_id, held.reference, order).status is Status.UNKNOWN
        assert acquirer.capture(held.our_id, held.reference, order).status is Status.SUCCEEDED
        assert len(far.moved()) == 1

    def test_a_capture_of_another_sum_than_before_is_never_a_failure(self, acquirer, far):
        held = self.pay(acquirer, far, capture=False)
        acquirer.capture(held.our_id, held.reference, charge(our_id=held.our_id))
        again = acquirer.capture(held.our_id, held.reference, charge(our_id=held.our_id, amount=Money("1.00", "RUB")))
        assert again.status is Status.UNKNOWN

    def test_a_hold_is_released_by_their_id_alone(self, acquirer, far):
        held = self.pay(acquirer, far, capture=False)
        assert acquirer.void("", held.reference).status is Status.CANCELLED
        assert acquirer.fetch(Subject.PAYMENT, held.our_id, held.reference).status is Status.CANCELLED

    def test_a_hold_is_released(self, acquirer, far):
        held = self.pay(acquirer, far, capture=False)
        assert acquirer.void(held.our_id, held.reference).status is Status.CANCELLED
        assert far.moved() == []
