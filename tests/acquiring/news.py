"""The part of the contract about what an acquirer tells by itself, and about what nobody may tell."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from moneyed import Money

from acquiring.base import Acquirer, BadCallback
from acquiring.http import Unanswered
from acquiring.types import Notice, Status, Subject, Verdict
from tests.acquiring.far import PRICE, Trips, charge, refund


class News(Trips):
    """The shared tests of statements and callbacks."""

    # --- Statement ------------------------------------------------------------------------------------------------

    def test_a_statement_lists_charges_and_refunds_of_its_day(self, acquirer, far, paid):
        if not acquirer.capabilities.statements:
            with pytest.raises(Unanswered):
                list(acquirer.statement(datetime.now(UTC).date()))
            return
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
        assert notice.trusted is self.signs
        assert notice.subject is Subject.PAYMENT
        assert notice.kind
        assert (notice.outcome.status, notice.outcome.our_id) == (Status.SUCCEEDED, paid.our_id)
        assert (notice.outcome.amount, notice.outcome.reference) == (PRICE, paid.reference)

    def test_a_callback_of_a_refund_is_read(self, acquirer, far, paid):
        order = refund(paid, Money("100.00", "RUB"))
        acquirer.refund(order)
        notice = self.read(acquirer, far.callback(1))
        if not self.names_refunds:  # it rings for the payment
            assert (notice.subject, notice.outcome.our_id, notice.trusted) == (Subject.REFUND, "", False)
            assert (notice.outcome.status, notice.payment_reference) == (Status.UNKNOWN, paid.reference)
            return
        assert (notice.subject, notice.outcome.our_id) == (Subject.REFUND, order.our_id)
        assert (notice.outcome.status, notice.outcome.amount) == (Status.SUCCEEDED, Money("100.00", "RUB"))

    def test_the_same_callback_twice_has_one_key_and_two_callbacks_have_two(self, acquirer, far, paid):
        acquirer.refund(refund(paid))
        keys = [self.read(acquirer, far.callback(number)).dedupe_key for number in (0, 0, 1)]
        assert keys[0] == keys[1] != keys[2]

    @pytest.mark.parametrize("how", ["changed", "unsigned", "empty", "nonsense", "no body", "longer", "huge"])
    def test_a_forged_callback_is_not_believed(self, acquirer, far, paid, how):
        kind, headers, body = far.callback(0)
        forged = self.forge(how, headers, body)
        if not self.signs and how not in ("no body", "huge"):
            notice = acquirer.parse(kind, *forged)
            assert not notice.trusted  # it rings, and whoever hears it goes and asks
            assert (notice.dedupe_key == acquirer.parse(kind, headers, body).dedupe_key) is (forged[1] == body)
            return
        with pytest.raises(BadCallback):
            acquirer.parse(kind, *forged)

    def forge(self, how: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
        """A callback as nobody but a forger sends it, where the signature stands in a header."""
        forgeries: dict[str, tuple[dict[str, str], bytes]] = {
            "changed": (headers, body.replace(b"29900", b"29901")),
            "unsigned": ({}, body),
            "empty": (dict.fromkeys(headers, ""), body),
            "nonsense": (dict.fromkeys(headers, "é\x00="), body),
            "no body": (headers, b""),
            "longer": (headers, body + b" "),
            "huge": (headers, b"x" * 10_000_000),
        }
        return forgeries[how]

    def test_the_reply_tells_the_acquirer_whether_to_try_again(self, acquirer):
        assert acquirer.reply(None, Verdict.ACCEPTED).status == 200
        assert acquirer.reply(None, Verdict.NOT_TAKEN).status >= 400

    def test_a_callback_of_another_sum_than_ours_is_passed_on_as_it_is(self, acquirer, far):
        part = Money("100.00", "RUB")
        held = self.pay(acquirer, far, capture=False)
        acquirer.capture(held.our_id, held.reference, charge(our_id=held.our_id, amount=part))
        assert self.told(acquirer, far, held.our_id, Status.SUCCEEDED).amount == part

    def test_callbacks_that_overtake_one_another_say_the_same(self, acquirer, far):
        far.trouble("callback_reordered")
        paid = self.pay(acquirer, far)
        acquirer.refund(refund(paid, Money("100.00", "RUB")))
        notices = [self.read(acquirer, far.callback(number)) for number in range(2)]
        assert {notice.subject for notice in notices} == {Subject.PAYMENT, Subject.REFUND}
        (first,) = (notice.outcome for notice in notices if notice.subject is Subject.PAYMENT)
        assert (first.status, first.reference, first.amount) == (Status.SUCCEEDED, paid.reference, PRICE)

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
        for secret in ("4242424242424242", "ann@example.org", *far.secrets, *([] if self.token_is_an_id else [token])):
            assert secret not in written
        assert caplog.text
