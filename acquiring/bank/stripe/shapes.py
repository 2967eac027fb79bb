"""The bank's payments and refunds as Stripe's objects, with every key that Stripe gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acquiring.bank.records import OPEN, Operation, Payment, Refund
from acquiring.bank.stripe.declines import payment_error
from acquiring.bank.stripe.names import CHARGE_NULLS, INTENT_NULLS, SESSION, SESSION_NULLS, Body, extra, rename, unix

if TYPE_CHECKING:
    from acquiring.bank.journal import Journal

BEGUN = {"awaiting_3ds": "requires_action", "authorized": "requires_capture", "succeeded": "succeeded"}


class Shapes:
    """Objects of one bank. `expand` names the fields that are given whole instead of by id."""

    def __init__(self, journal: Journal) -> None:
        self._books, self._public_url = journal.books, journal.public_url

    def intent(self, payment: Payment, expand: frozenset[str] = frozenset()) -> Body:
        """A PaymentIntent."""
        kept, tried = extra(payment), bool(payment.card)
        status = self._status(payment)
        pi, taken = rename(payment.id, "pi"), payment.captured if status == "succeeded" else 0
        method = rename(payment.token, "pm") if payment.token else kept.get("payment_method")
        return dict.fromkeys(INTENT_NULLS) | {
            "id": pi,
            "object": "payment_intent",
            "amount": payment.amount,
            "amount_capturable": payment.amount if status == "requires_capture" else 0,
            "amount_details": {"tip": {}},
            "amount_received": taken,
            "canceled_at": unix(payment.finished_at) if status == "canceled" else None,
            "cancellation_reason": "requested_by_customer" if status == "canceled" else None,
            "capture_method": "automatic" if payment.capture else "manual",
            "client_secret": f"{pi}_secret_{pi[3:19]}",
            "confirmation_method": "automatic",
            "created": unix(payment.created_at),
            "currency": payment.currency.lower(),
            "customer": payment.customer or None,
            "description": payment.description or None,
            "last_payment_error": payment_error(payment.decline_code, rename(payment.id, "ch")),
            "latest_charge": self._charge_of(payment, "latest_charge" in expand) if tried else None,
            "livemode": False,
            "metadata": kept.get("intent_metadata", {}),
            "next_action": self._next_action(payment) if status == "requires_action" else None,
            "payment_method": method if tried and status != "requires_payment_method" else None,
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"],
            "setup_future_usage": "off_session" if payment.save_card else None,
            "status": status,
        }

    def session(self, payment: Payment, expand: frozenset[str] = frozenset()) -> Body:
        """A Checkout Session."""
        kept = extra(payment)
        status = self._session_status(payment)
        paid = payment.status == "succeeded"
        deeper = frozenset(name.partition(".")[2] for name in expand)
        whole = any(name.partition(".")[0] == "payment_intent" for name in expand)
        intent: Any = self.intent(payment, deeper) if whole else rename(payment.id, "pi")
        session_id = rename(payment.id, "cs_test")
        return dict.fromkeys(SESSION_NULLS) | {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": payment.amount,
            "amount_total": payment.amount,
            "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
            "cancel_url": kept.get("cancel_url"),
            "client_reference_id": kept.get("client_reference_id"),
            "created": unix(payment.created_at),
            "currency": payment.currency.lower(),
            "custom_fields": [],
            "custom_text": {"after_submit": None, "shipping_address": None, "submit": None},
            "customer": payment.customer if payment.save_card and status == "complete" else None,
            "customer_creation": "always" if payment.save_card else "if_required",
            "customer_details": {"email": payment.email, "name": None, "phone": None} if payment.email else None,
            "customer_email": payment.email or None,
            "expires_at": unix(payment.expires_at),
            "livemode": False,
            "metadata": kept.get("metadata", {}),
            "mode": "payment",
            "payment_intent": intent if payment.card else None,  # there is none until somebody tries a card
            "payment_method_collection": "if_required",
            "payment_method_options": {},
            "payment_method_types": kept.get("payment_method_types") or ["card"],
            "payment_status": "paid" if paid else "unpaid",
            "phone_number_collection": {"enabled": False},
            "shipping_options": [],
            "status": status,
            "success_url": kept.get("success_url"),
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted",
            "url": f"{self._public_url}/pay/{payment.id}?session={session_id}" if status == "open" else None,
        }

    def charge(self, payment: Payment) -> Body:
        """The latest charge of a payment."""
        card, error = payment.plastic, payment_error(payment.decline_code, rename(payment.id, "ch"))
        declined, held = error is not None, payment.status == "authorized"
        kept = extra(payment)
        return dict.fromkeys(CHARGE_NULLS) | {
            "id": rename(payment.id, "ch"),
            "object": "charge",
            "amount": payment.amount,
            "amount_captured": payment.captured,
            "amount_refunded": payment.amount if self.was_released(payment) else payment.refunded,
            "billing_details": {"address": None, "email": payment.email or None, "name": None, "phone": None},
            "captured": payment.status == "succeeded",
            "created": unix(payment.finished_at or payment.updated_at),
            "currency": payment.currency.lower(),
            "customer": payment.customer or None,
            "description": payment.description or None,
            "disputed": payment.charged_back > 0,
            "failure_code": error and error["code"],
            "failure_message": error and error["message"],
            "fraud_details": {},
            "livemode": False,
            "metadata": kept.get("intent_metadata", {}),
            "outcome": {"type": "issuer_declined" if declined else "authorized", "network_status": None},
            "paid": payment.status == "succeeded" or held,
            "payment_intent": rename(payment.id, "pi"),
            "payment_method": rename(payment.token, "pm") if payment.token else kept.get("payment_method"),
            "payment_method_details": {
                "type": "card",
                "card": card and {
                    "brand": card.brand,
                    "country": "US",
                    "exp_month": card.exp_month,
                    "exp_year": card.exp_year,
                    "fingerprint": "Xt5EWLLDS7FJjR1c",
                    "funding": "credit",
                    "last4": card.mask[-4:],
                    "network": card.brand,
                    "three_d_secure": None,
                },
            },
            "receipt_url": None,
            "refunded": payment.status == "succeeded" and payment.refunded == payment.captured,
            "status": "failed" if declined else "succeeded" if payment.finished_at else "pending",
        }  # fmt: skip

    def refund(self, refund: Refund) -> Body:
        """A refund."""
        kept = extra(refund)
        return {
            "id": rename(refund.id, "re"),
            "object": "refund",
            "amount": refund.amount,
            "balance_transaction": rename(refund.id, "txn"),
            "charge": rename(refund.payment_id, "ch"),
            "created": unix(refund.created_at),
            "currency": refund.currency.lower(),
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "failure_reason": "declined" if refund.status == "declined" else None,
            "metadata": kept.get("metadata", {}),
            "payment_intent": rename(refund.payment_id, "pi"),
            "pending_reason": "processing" if refund.status == "pending" else None,
            "reason": kept.get("reason"),
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": {"declined": "failed"}.get(refund.status, refund.status),
            "transfer_reversal": None,
        }

    def dispute(self, payment: Payment) -> Body:
        """What the card's bank took back."""
        return {
            "id": rename(payment.id, "du"),
            "object": "dispute",
            "amount": payment.charged_back,
            "balance_transactions": [],
            "charge": rename(payment.id, "ch"),
            "created": unix(payment.updated_at),
            "currency": payment.currency.lower(),
            "evidence": {},
            "evidence_details": {"due_by": None, "has_evidence": False, "past_due": False, "submission_count": 0},
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": rename(payment.id, "pi"),
            "reason": "general",
            "status": "needs_response",
        }

    def entry(self, line: Operation, expand: frozenset[str] = frozenset()) -> Body:
        """A balance transaction: money that moved."""
        payment = self._books.select(Payment, "id = ?", line.payment_id)[0]
        source: Body
        if line.kind == "refund":
            source = self.refund(self._books.select(Refund, "id = ?", line.id)[0])
        elif line.kind == "chargeback":
            source = self.dispute(payment)
        else:
            source = self.charge(payment)
        amount = line.amount if line.kind == "charge" else -line.amount
        kind = {"charge": "charge", "refund": "refund", "chargeback": "adjustment"}[line.kind]
        return {
            "id": rename(line.id, "txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": unix(line.at),
            "created": unix(line.at),
            "currency": line.currency.lower(),
            "description": payment.description or None,
            "exchange_rate": None,
            "fee": 0,
            "fee_details": [],
            "net": amount,
            "reporting_category": {"adjustment": "dispute"}.get(kind, kind),
            "source": source if "source" in expand else source["id"],
            "status": "available",
            "type": kind,
        }

    def _charge_of(self, payment: Payment, whole: bool) -> Any:
        return self.charge(payment) if whole else rename(payment.id, "ch")

    def _status(self, payment: Payment) -> str:
        if payment.status in ("voided", "expired"):
            dead_page = extra(payment).get("kind") == SESSION and not self.was_released(payment)
            return "requires_payment_method" if dead_page else "canceled"  # the page is over, its intent is not told
        return BEGUN.get(payment.status, "requires_payment_method")

    def _session_status(self, payment: Payment) -> str:
        if payment.status in OPEN:
            return "open"
        over = payment.status in ("voided", "expired") and not self.was_released(payment)
        return "expired" if over else "complete"

    def was_released(self, payment: Payment) -> bool:
        """Whether it was voided as a hold, not as an unpaid page."""
        if payment.status != "voided" or not payment.card:
            return False
        return self._books.first(Operation, "id = ? AND state = 'voided'", payment.id) is not None

    def _next_action(self, payment: Payment) -> Body:
        page = {"url": f"{self._public_url}/pay/{payment.id}/3ds", "return_url": payment.return_url or None}
        return {"type": "redirect_to_url", "redirect_to_url": page}
