"""The part of the contract about what an acquirer tells by itself, and about what nobody may tell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from moneyed import Money

from acquiring.base import Acquirer, BadCallback
from acquiring.types import Notice, Status, Subject, Verdict
from tests.acquiring.far import PRICE, Trips, charge, refund


class News(Trips):
    """The shared tests of statements and callbacks."""

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

    def test_a_callback_for_another_amount_is_translated_as_it_is(self, acquirer, far, paid):
        old, new = self.price_on_the_wire, self.price_on_the_wire.replace(b"299", b"111")
        notice = self.read(acquirer, far.rewritten(0, old, new))
        assert (notice.outcome.our_id, notice.outcome.amount) == (paid.our_id, Money("111.00", "RUB"))

    def test_callbacks_say_the_same_in_whichever_order_they_come(self, acquirer, far, paid):
        acquirer.refund(refund(paid, Money("100.00", "RUB")))
        callbacks = [far.callback(number) for number in (0, 1)]
        forwards = [self.read(acquirer, each) for each in callbacks]
        assert [self.read(acquirer, each) for each in reversed(callbacks)] == forwards[::-1]

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
        assert acquirer.reply(None, Verdict.ACCEPTED).status == 200
        assert acquirer.reply(None, Verdict.NOT_TAKEN).status >= 400

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
