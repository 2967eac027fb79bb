"""What every acquirer must keep, whoever it is. A backend is done when its test class over this one passes.

A test class gives the fixtures `acquirer` and `impatient` (the same with a short time-out) and `far`: the other side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import pytest
from moneyed import Money

from acquiring.base import Acquirer, BadCallback
from acquiring.types import Charge, Decline, Notice, Outcome, RefundOrder, Status, Subject

PRICE = Money("299.00", "RUB")


class FarSide(Protocol):
    """The acquirer and its customers, as a test moves them."""

    secrets: tuple[str, ...]  # must appear in no log and no raw answer

    def pay(self, outcome: Outcome, decline: str = "") -> None:
        """A customer pays on the page that `outcome` leads to, or is declined with a reason of this group."""

    def trouble(self, name: str, count: int = 1) -> None:
        """`timeout_before`, `timeout_after`, `error_after`, `refuse` the next requests, or `calm`."""

    def moved(self) -> list[tuple[str, str, int]]:
        """(kind, our id, minor units) of every charge and refund that succeeded, in order."""

    def callback(self, number: int) -> tuple[str, dict[str, str], bytes]:
        """The callback with this number from 0: its kind (part of the address), headers and body."""


def charge(**changes: object) -> Charge:
    """An order for a month of films, of a customer who is present."""
    base = Charge(str(uuid4()), PRICE, "Films, one month", "customer-1", "ann@example.org", "https://shop.example/back")
    return replace(base, **changes)


def refund(paid: Outcome, amount: Money = PRICE) -> RefundOrder:
    return RefundOrder(str(uuid4()), paid.our_id, paid.reference, amount, "changed my mind")


class AcquirerContract:
    """The shared tests."""

    @pytest.fixture
    def paid(self, acquirer: Acquirer, far: FarSide) -> Outcome:
        return self.pay(acquirer, far)

    def pay(self, acquirer: Acquirer, far: FarSide, decline: str = "", **changes: object) -> Outcome:
        """Opens a page, pays on it and asks for the truth."""
        opened = acquirer.checkout(charge(**changes))
        far.pay(opened, decline)
        return acquirer.fetch(Subject.PAYMENT, opened.our_id, opened.reference)

    def token(self, acquirer: Acquirer, far: FarSide) -> str:
        card = self.pay(acquirer, far, save_card=True).card
        assert card is not None
        assert card.token
        return card.token

    # --- The page -------------------------------------------------------------------------------------------------

    def test_a_checkout_is_pending_and_leads_to_a_page(self, acquirer, far):
        order = charge()
        outcome = acquirer.checkout(order)
        assert (outcome.status, outcome.our_id, outcome.amount) == (Status.PENDING, order.our_id, PRICE)
        assert outcome.redirect_url.startswith("http")
        assert outcome.reference
        assert far.moved() == []

    def test_a_paid_page_is_succeeded_by_both_ids(self, acquirer, far, paid):
        for reference in (paid.reference, "", "no-such-reference"):
            found = acquirer.fetch(Subject.PAYMENT, paid.our_id, reference)
            assert (found.status, found.reference, found.amount) == (Status.SUCCEEDED, paid.reference, PRICE)
            assert found.refunded == Money(0, "RUB")
            assert found.occurred_at is not None
        assert far.moved() == [("charge", paid.our_id, 29900)]

    @pytest.mark.parametrize("group", ["retry_later", "another_card", "customer_action", "stop", "our_fault"])
    def test_a_declined_page_says_what_to_do_next(self, acquirer, far, group):
        outcome = self.pay(acquirer, far, decline=group)
        assert (outcome.status, outcome.decline) == (Status.FAILED, Decline(group))
        assert outcome.code
        assert outcome.message
        assert far.moved() == []

    def test_the_same_checkout_again_is_the_same_page(self, acquirer, far):
        order = charge()
        assert acquirer.checkout(order).redirect_url == acquirer.checkout(order).redirect_url

    def test_a_checkout_of_a_paid_page_does_not_ask_for_money_again(self, acquirer, far):
        order = charge()
        far.pay(acquirer.checkout(order))
        far.pay(acquirer.checkout(order))
        assert len(far.moved()) == 1

    def test_an_order_never_sent_is_absent(self, acquirer):
        outcome = acquirer.fetch(Subject.PAYMENT, str(uuid4()))
        assert outcome.status is Status.UNKNOWN
        assert outcome.absent

    # --- Saved cards ----------------------------------------------------------------------------------------------

    def test_a_card_is_saved_only_when_asked(self, acquirer, far, paid):
        assert paid.card is not None
        assert paid.card.token == ""
        assert paid.card.mask.endswith("4242")
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
        assert acquirer.fetch(Subject.PAYMENT, order.our_id).amount == PRICE

    # --- When the network fails -----------------------------------------------------------------------------------

    def test_a_refused_connection_is_not_sent(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        far.trouble("refuse", 30)
        for outcome in (acquirer.checkout(charge()), acquirer.charge(order)):
            assert (outcome.status, outcome.decline) == (Status.FAILED, Decline.NOT_SENT)
        far.trouble("calm")
        assert acquirer.fetch(Subject.PAYMENT, order.our_id).absent

    def test_a_lookup_or_a_void_that_was_not_sent_tells_nothing(self, acquirer, far, paid):
        far.trouble("refuse", 30)
        found = acquirer.fetch(Subject.PAYMENT, paid.our_id, paid.reference)
        voided = acquirer.void(paid.our_id, paid.reference)
        far.trouble("calm")
        assert (found.status, found.absent, voided.status) == (Status.UNKNOWN, False, Status.UNKNOWN)

    @pytest.mark.parametrize(("trouble", "moved"), [("timeout_before", 0), ("timeout_after", 1), ("error_after", 1)])
    def test_a_charge_without_an_answer_is_unknown_until_asked(self, acquirer, impatient, far, trouble, moved):
        order = charge(token=self.token(acquirer, far))
        far.trouble(trouble)
        outcome = impatient.charge(order)
        assert outcome.status is Status.UNKNOWN
        assert not outcome.absent
        truth = acquirer.fetch(Subject.PAYMENT, order.our_id)
        assert truth.status is Status.SUCCEEDED if moved else truth.absent
        assert acquirer.charge(order).status is Status.SUCCEEDED
        assert [line[1] for line in far.moved()].count(order.our_id) == 1

    @pytest.mark.parametrize("trouble", ["timeout_before", "timeout_after", "error_after"])
    def test_a_checkout_without_an_answer_can_be_asked_again(self, acquirer, impatient, far, trouble):
        order = charge()
        far.trouble(trouble)
        assert impatient.checkout(order).status is Status.UNKNOWN
        far.pay(acquirer.checkout(order))
        assert far.moved() == [("charge", order.our_id, 29900)]

    @pytest.mark.parametrize(("trouble", "moved"), [("timeout_before", 0), ("timeout_after", 1), ("error_after", 1)])
    def test_a_refund_without_an_answer_is_unknown_until_asked(self, acquirer, impatient, far, paid, trouble, moved):
        order = refund(paid)
        far.trouble(trouble)
        assert impatient.refund(order).status is Status.UNKNOWN
        truth = acquirer.fetch(Subject.REFUND, order.our_id)
        assert truth.status is Status.SUCCEEDED if moved else truth.absent
        assert acquirer.refund(order).status is Status.SUCCEEDED
        assert [line[0] for line in far.moved()] == ["charge", "refund"]

    def test_a_refund_refused_at_the_door_is_not_sent(self, acquirer, far, paid):
        far.trouble("refuse", 30)
        outcome = acquirer.refund(refund(paid))
        far.trouble("calm")
        assert outcome.decline is Decline.NOT_SENT

    # --- Refunds --------------------------------------------------------------------------------------------------

    def test_parts_are_refunded_down_to_zero_and_no_further(self, acquirer, far, paid):
        for part in ("100.00", "198.99", "0.01"):
            assert acquirer.refund(refund(paid, Money(part, "RUB"))).status is Status.SUCCEEDED
        refused = acquirer.refund(refund(paid, Money("0.01", "RUB")))
        assert (refused.status, refused.decline) == (Status.FAILED, Decline.OUR_FAULT)
        assert refused.code
        assert acquirer.fetch(Subject.PAYMENT, paid.our_id).refunded == PRICE
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
        for reference in (done.reference, ""):
            found = acquirer.fetch(Subject.REFUND, order.our_id, reference)
            assert (found.status, found.amount) == (Status.SUCCEEDED, Money("12.34", "RUB"))
            assert (found.our_id, found.reference) == (order.our_id, done.reference)

    def test_an_unpaid_page_cannot_be_refunded(self, acquirer, far):
        assert acquirer.refund(refund(acquirer.checkout(charge()))).status is Status.FAILED
        assert far.moved() == []

    # --- Void and capture -----------------------------------------------------------------------------------------

    def test_a_voided_page_takes_no_money(self, acquirer, far):
        opened = acquirer.checkout(charge())
        assert acquirer.void(opened.our_id, opened.reference).status is Status.CANCELLED
        far.pay(opened)
        assert acquirer.fetch(Subject.PAYMENT, opened.our_id).status is Status.CANCELLED
        assert far.moved() == []

    def test_a_void_of_a_paid_page_tells_that_it_was_paid(self, acquirer, paid):
        assert acquirer.void(paid.our_id, paid.reference).status is Status.SUCCEEDED

    def test_a_charge_that_arrives_after_its_void_is_refused(self, acquirer, far):
        order = charge(token=self.token(acquirer, far))
        assert acquirer.void(order.our_id, "").status is Status.CANCELLED
        assert acquirer.charge(order).status is Status.CANCELLED
        assert acquirer.fetch(Subject.PAYMENT, order.our_id).status is Status.CANCELLED
        assert order.our_id not in [line[1] for line in far.moved()]

    def test_a_page_asked_for_after_its_void_is_refused(self, acquirer, far):
        order = charge()
        acquirer.void(order.our_id, "")
        assert acquirer.checkout(order).status is Status.CANCELLED

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

    def test_a_hold_is_released(self, acquirer, far):
        held = self.pay(acquirer, far, capture=False)
        assert acquirer.void(held.our_id, held.reference).status is Status.CANCELLED
        assert far.moved() == []

    # --- Statement ------------------------------------------------------------------------------------------------

    def test_a_statement_lists_charges_and_refunds_of_its_day(self, acquirer, far, paid):
        order = refund(paid, Money("100.00", "RUB"))
        acquirer.refund(order)
        today = datetime.now(UTC).date()
        lines = {line.outcome.our_id: line for line in acquirer.statement(today)}
        assert lines[paid.our_id].subject is Subject.PAYMENT
        assert lines[paid.our_id].outcome.amount == PRICE
        assert lines[order.our_id].payment_reference == paid.reference
        assert list(acquirer.statement(today.replace(year=2001, day=1))) == []

    # --- Callbacks ------------------------------------------------------------------------------------------------

    def test_a_true_callback_is_read(self, acquirer, far, paid):
        notice = self.read(acquirer, far.callback(0))
        assert notice.trusted
        assert notice.subject is Subject.PAYMENT
        assert notice.kind
        assert (notice.outcome.status, notice.outcome.our_id) == (Status.SUCCEEDED, paid.our_id)
        assert (notice.outcome.amount, notice.outcome.reference) == (PRICE, paid.reference)

    def test_a_callback_of_a_refund_is_read(self, acquirer, far, paid):
        order = refund(paid, Money("100.00", "RUB"))
        acquirer.refund(order)
        notice = self.read(acquirer, far.callback(1))
        assert (notice.subject, notice.outcome.our_id) == (Subject.REFUND, order.our_id)
        assert (notice.outcome.status, notice.outcome.amount) == (Status.SUCCEEDED, Money("100.00", "RUB"))

    def test_the_same_callback_twice_has_one_key_and_two_callbacks_have_two(self, acquirer, far, paid):
        acquirer.refund(refund(paid))
        keys = [self.read(acquirer, far.callback(number)).dedupe_key for number in (0, 0, 1)]
        assert keys[0] == keys[1] != keys[2]

    @pytest.mark.parametrize(
        "forge",
        [
            lambda headers, body: (headers, body.replace(b"29900", b"29901")),
            lambda headers, body: ({}, body),
            lambda headers, body: (dict.fromkeys(headers, ""), body),
            lambda headers, body: (dict.fromkeys(headers, "é\x00="), body),
            lambda headers, body: (headers, b""),
            lambda headers, body: (headers, body + b" "),
            lambda headers, body: (headers, b"x" * 10_000_000),
        ],
        ids=["changed", "unsigned", "empty", "nonsense", "no body", "longer", "huge"],
    )
    def test_a_forged_callback_is_not_believed(self, acquirer, far, paid, forge: Callable):
        kind, headers, body = far.callback(0)
        with pytest.raises(BadCallback):
            acquirer.parse(kind, *forge(headers, body))

    def test_the_reply_tells_the_acquirer_whether_to_try_again(self, acquirer):
        assert acquirer.reply(None, accepted=True).status == 200
        assert acquirer.reply(None, accepted=False).status >= 400

    def read(self, acquirer: Acquirer, callback: tuple[str, dict[str, str], bytes]) -> Notice:
        return acquirer.parse(*callback)

    # --- Secrets --------------------------------------------------------------------------------------------------

    def test_no_secret_is_ever_logged_or_kept(self, acquirer, far, caplog):
        caplog.set_level(logging.DEBUG)
        token = self.token(acquirer, far)
        outcomes = [acquirer.charge(charge(token=token)), acquirer.checkout(charge(save_card=True))]
        outcomes += [self.pay(acquirer, far, save_card=True), self.read(acquirer, far.callback(0)).outcome]
        written = caplog.text + "".join(str(outcome.raw) + repr(outcome) for outcome in outcomes) + repr(vars(acquirer))
        written = written.replace(repr(vars(acquirer)), "")  # an object's insides are not written anywhere
        for secret in (token, "4242424242424242", "ann@example.org", *far.secrets):
            assert secret not in written
        assert caplog.text
