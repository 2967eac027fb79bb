"""T-Bank's notifications. They are signed in their own body, and only the word OK ends the tries."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from acquiring.bank.letters import Letter
from acquiring.bank.records import Payment, Refund
from acquiring.bank.tbank import shapes
from acquiring.bank.tbank.signing import sign

if TYPE_CHECKING:
    from acquiring.bank.house import Config
    from acquiring.bank.journal import Journal


class TBank:
    """T-Bank's way to write to merchants."""

    def letters(self, journal: Journal, kind: str, payment: Payment, refund: Refund | None) -> list[Letter]:
        """One-stage payments are told of twice, as held and as taken, in no order that could be relied on."""
        stored = journal.books.first(Payment, "id = ?", payment.id) or payment
        if kind == "payment.succeeded":
            words = ["CONFIRMED"]
            if payment.capture:
                odd = shapes.payment_number(journal.books, payment.id) % 2
                words = ["AUTHORIZED", "CONFIRMED"] if odd else ["CONFIRMED", "AUTHORIZED"]
            letters = [self._letter(journal, payment, word) for word in words]
            said = shapes.said(payment).get("Receipt")
            return letters + ([self._receipt(journal, payment, said, "Income", shapes.amount(payment))] if said else [])
        if kind.startswith("payment."):
            word = shapes.state(journal.books, stored)
            return [self._letter(journal, payment, "REJECTED" if word == "AUTH_FAIL" else word)]
        if kind == "refund.succeeded":
            letters = [self._letter(journal, stored, shapes.state(journal.books, stored))]
            key, units = (refund.order_id, refund.amount) if refund else ("", 0)
            said = shapes.said(stored).get("RefundReceipts", {}).get(key)
            return letters + ([self._receipt(journal, stored, said, "IncomeReturn", units)] if said else [])
        return []  # neither a refused refund nor a chargeback is told of

    def headers(self, config: Config, body: bytes, forged: bool) -> dict[str, str]:
        """The signature is not here."""
        return {"Content-Type": "application/json"}

    def sealed(self, config: Config, body: bytes, forged: bool) -> bytes:
        """The notification with its TerminalKey and Token."""
        news: dict[str, Any] = {"TerminalKey": config.merchant, **json.loads(body)}
        news["Token"] = sign(news, "not the password" if forged else config.secret)
        return json.dumps(news, ensure_ascii=False).encode()

    def received(self, status: int, answer: bytes) -> bool:
        """Exactly OK."""
        return status == 200 and answer == b"OK"

    def _letter(self, journal: Journal, payment: Payment, word: str) -> Letter:
        told = replace(payment, decline_code="") if word != "REJECTED" else payment
        why = shapes.decline(told.decline_code)
        news = {
            "OrderId": payment.order_id,
            "Success": not why,
            "Status": word,
            "PaymentId": shapes.payment_number(journal.books, payment.id),
            "ErrorCode": why.get("ErrorCode", "0"),
            "Amount": shapes.amount(payment),
            **shapes.kept_card(journal.books, payment),
            **shapes.pan(payment),
            "Data": {"Route": "ACQ", "Source": "cards"},
        }
        return Letter(journal.new_id("ntc"), word, payment.id, json.dumps(news, ensure_ascii=False))

    def _receipt(self, journal: Journal, payment: Payment, said: Any, kind: str, units: int) -> Letter:
        news = {
            "OrderId": payment.order_id,
            "Success": True,
            "Status": "RECEIPT",
            "PaymentId": shapes.payment_number(journal.books, payment.id),
            "ErrorCode": "0",
            "Amount": units,
            "Type": kind,
            "FiscalNumber": 1,
            "Receipt": said,
        }
        return Letter(journal.new_id("ntc"), "RECEIPT", payment.id, json.dumps(news, ensure_ascii=False))
