"""The desk for money that goes back: refunds by the merchant or in the cabinet, and chargebacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from acquiring.bank.books import Books
from acquiring.bank.faults import Faults
from acquiring.bank.journal import Journal
from acquiring.bank.records import Payment, Refund, Refusal, stamp


class Returns:
    """Operations on refunds. Pending ones count against the payment from the moment they are asked for."""

    def __init__(self, books: Books, journal: Journal, faults: Faults) -> None:
        self._books, self._journal, self._faults = books, journal, faults

    def refund(
        self, payment_id: str, amount: int, currency: str, *, order_id: str = "", reason: str = "", extra: str = ""
    ) -> tuple[Refund, bool]:
        """Returns money (minor units) and whether the refund is new. `order_id` is "" for the cabinet's refunds.

        Raises Refusal: 404 no payment, 409 this order_id was another refund, 422 not captured or more than is left.
        """
        with self._books.transaction():
            known = self._books.first(Refund, "order_id = ?", order_id) if order_id else None
            if known:
                if (known.payment_id, known.amount, known.currency) != (payment_id, amount, currency):
                    raise Refusal(409, "conflict", "this order_id was used for another refund")
                return known, False
            self._refundable(payment_id, amount, currency)
            at = stamp(self._journal.now())
            refund = Refund(
                self._journal.new_id("ref"),
                order_id,
                payment_id,
                amount,
                currency,
                reason,
                "pending",
                at,
                at,
                extra=extra,
            )
            if later := self._faults.take("refund_pending"):
                settle_at = stamp(self._journal.now() + timedelta(seconds=later.number))
                refund = replace(refund, settle_at=settle_at)
                self._books.add(refund)
                return refund, True
            self._books.add(refund)
            return self._settle(refund, "declined" if self._faults.take("refund_declined") else "succeeded"), True

    def get(self, refund_id: str) -> Refund:
        """The refund with our id. Raises Refusal (404)."""
        return _found(self._books.first(Refund, "id = ?", refund_id))

    def by_order(self, order_id: str) -> Refund:
        """The refund with the merchant's id. Raises Refusal (404)."""
        return _found(self._books.first(Refund, "order_id = ? AND order_id <> ''", order_id))

    def settle_due(self) -> None:
        """Ends the pending refunds whose time has come."""
        at = stamp(self._journal.now())
        for refund in self._books.select(Refund, "status = 'pending' AND settle_at <= ?", at):
            with self._books.transaction():
                again = self.get(refund.id)
                if again.status == "pending":
                    self._settle(again, "succeeded")

    def charge_back(self, payment_id: str, amount: int | None = None) -> Payment:
        """The card's bank takes back `amount` (minor units) more of a payment, or what is left; all of it once.

        Raises Refusal (404, 422).
        """
        with self._books.transaction():
            payment = self._captured(payment_id)
            left = payment.captured - payment.charged_back - self._returned(payment_id)
            if payment.charged_back and (amount is None or left <= 0):
                return payment
            if left <= 0:
                raise Refusal(422, "nothing_left", "the payment was refunded in full")
            if amount is not None and amount > left:
                raise Refusal(422, "over_chargeback", "more than is left of the payment")
            total = payment.charged_back + (left if amount is None else amount)
            payment = replace(payment, charged_back=total, updated_at=stamp(self._journal.now()))
            self._books.save(payment)
            self._journal.record(payment, "chargeback", total, "succeeded")
            self._journal.announce("chargeback.created", payment)
            return payment

    def _refundable(self, payment_id: str, amount: int, currency: str) -> None:
        payment = self._captured(payment_id)
        if payment.currency != currency:
            raise Refusal(422, "wrong_currency", f"the payment was in {payment.currency}")
        if amount > payment.captured - payment.charged_back - self._returned(payment_id):
            raise Refusal(422, "over_refund", "more than is left of the payment")

    def _captured(self, payment_id: str) -> Payment:
        payment = self._books.first(Payment, "id = ?", payment_id)
        if payment is None:
            raise Refusal(404, "not_found", "no such payment")
        if payment.status != "succeeded":
            raise Refusal(422, "not_captured", f"the payment is {payment.status}")
        return payment

    def _returned(self, payment_id: str) -> int:
        sql = "SELECT COALESCE(SUM(amount), 0) AS total FROM refunds WHERE payment_id = ? AND status <> 'declined'"
        total: int = self._books.query(sql, payment_id)[0]["total"]
        return total

    def _settle(self, refund: Refund, status: str) -> Refund:
        refund = replace(refund, status=status, settle_at="", updated_at=stamp(self._journal.now()))
        self._books.save(refund)
        if status == "succeeded":
            payment = self._captured(refund.payment_id)
            self._books.save(replace(payment, refunded=payment.refunded + refund.amount, updated_at=refund.updated_at))
        self._journal.record(refund, "refund", refund.amount, status)
        self._journal.announce(f"refund.{status}", refund)
        return refund


def _found(refund: Refund | None) -> Refund:
    if refund is None:
        raise Refusal(404, "not_found", "no such refund")
    return refund
