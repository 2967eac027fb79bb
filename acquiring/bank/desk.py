"""The desk for payments: opens them, takes cards, asks for codes, holds, takes and releases money."""

from __future__ import annotations

from dataclasses import asdict, replace

from acquiring.bank.books import Books
from acquiring.bank.cards import Plastic
from acquiring.bank.faults import Faults
from acquiring.bank.journal import Journal
from acquiring.bank.records import OPEN, Operation, Order, Payment, Refusal, Token, plastic_from, plastic_text, stamp

CODE = "1234"
CODE_TRIES = 3
# Protocols in which a page outlives a declined card: the next try is a payment of its own, and an order id may be used
# again; or it is the same payment.
LOOSE = frozenset({"cloudpayments"})
HELD = "payment_id = ? AND kind = 'charge' AND state IN ('authorized', 'voided')"
PATIENT = frozenset({"stripe"})
STAYS_OPEN = frozenset({"cloudpayments", "yookassa"})  # a page that the customer leaves can still be paid


class Desk:
    """Operations on payments. Every one is one transaction, looks at the state first, and may be asked twice."""

    def __init__(self, books: Books, journal: Journal, faults: Faults) -> None:
        self._books, self._journal, self._faults = books, journal, faults

    # --- What merchants ask -------------------------------------------------------------------------------------

    def open(self, order: Order, *, anew: bool = False) -> tuple[Payment, bool]:
        """A payment to be made on the page, and whether it is new. Raises Refusal (409 voided or conflict).

        `anew`: the protocol does not know orders by the merchant's id, so each is a new one.
        """
        with self._books.transaction():
            if known := None if anew else self._same_order(order):
                return known, False
            payment = self._payment(order, "page")
            self._books.add(payment)
            return payment, True

    def charge(self, order: Order, token: str, *, anew: bool = False, refused: str = "") -> tuple[Payment, bool]:
        """A payment by saved card, final at once, and whether it is new (`anew` as in `open`).

        `refused` is the decline of a charge that the merchant would not have when asked.
        Raises Refusal (409 voided or conflict).
        """
        with self._books.transaction():
            if known := None if anew else self._same_order(order):
                return known, False
            payment = self._payment(order, "token")
            self._books.add(payment)
            saved = self._books.first(Token, "token = ?", token)
            if saved is None or saved.customer != order.customer:
                return self._close(payment, "declined", "unknown_token"), True
            card = plastic_from(saved.card)
            if refused:
                return self._close(replace(payment, card=saved.card), "declined", refused), True
            return self._try(replace(payment, card=saved.card), card, card.behaviour.later), True

    def charge_opened(self, payment_id: str, token: str) -> Payment:
        """Charges a saved card for a payment that is open already; one that is not stays. Raises Refusal (404)."""
        with self._books.transaction():
            payment = self.get(payment_id)
            if payment.status != "created":
                return payment
            saved = self._books.first(Token, "token = ?", token)
            if saved is None:
                return self._close(payment, "declined", "unknown_token")
            card = plastic_from(saved.card)
            return self._try(replace(payment, card=saved.card, origin="token"), card, card.behaviour.later)

    def capture(self, payment_id: str, amount: int) -> Payment:
        """Takes a held sum, in full or less; the rest is released. Raises Refusal (404, 409, 422)."""
        with self._books.transaction():
            payment = self.get(payment_id)
            if payment.status == "succeeded" and payment.captured == amount:
                return payment
            if payment.status != "authorized":
                raise Refusal(409, "not_authorized", f"the payment is {payment.status}")
            if amount > payment.amount:
                raise Refusal(422, "over_capture", "more than was authorized")
            payment = replace(payment, captured=amount)
            return self._close(payment, "succeeded")

    def void(self, payment_id: str) -> Payment:
        """Closes an unpaid payment or releases a hold; one that is final stays as it is. Raises Refusal (404)."""
        with self._books.transaction():
            payment = self.get(payment_id)
            if payment.status in OPEN or payment.status == "authorized":
                return self._close(payment, "voided")
            return payment

    def void_order(self, order_id: str) -> Payment:
        """As `void`, by the merchant's id. One never seen gets a tombstone: it will be refused when it comes."""
        with self._books.transaction():
            payment = self._books.first(Payment, "order_id = ? ORDER BY seq", order_id)
            if payment is not None:
                return self.void(payment.id)
            tombstone = replace(self._payment(Order(order_id, 0, ""), "tombstone"), status="voided")
            self._books.add(tombstone)
            return tombstone

    def capture_again(self, payment_id: str, *, hold: bool = False) -> Payment:
        """Misbehaves: takes (or holds) the money of a paid order once more, as another payment; holds a held one's.

        Raises Refusal (404, 409).
        """
        with self._books.transaction():
            payment = self.get(payment_id)
            if payment.status != "succeeded" and not (hold and payment.status == "authorized"):
                raise Refusal(409, "not_captured", f"the payment is {payment.status}")
            return self._again(payment, hold)

    def open_again(self, payment_id: str, till: str) -> Payment:
        """Misbehaves: opens a page that was closed unpaid until the stamp `till`. Raises Refusal (404, 409).

        Where the next try is a payment of its own, what was tried on this page before keeps its number; elsewhere a
        page whose hold was released is over for good, as it is at the real ones.
        """
        with self._books.transaction():
            payment = self.get(payment_id)
            if payment.status not in ("declined", "voided", "expired") or not payment.amount:
                raise Refusal(409, "not_closed", f"the payment is {payment.status}")
            if payment.tongue not in LOOSE and self._books.first(Operation, HELD, payment.id):
                raise Refusal(409, "was_held", "the hold of this payment was released")
            if payment.tongue in LOOSE and self._books.number(payment.id):
                self._set_aside(payment)
            payment = replace(
                payment, status="created", expires_at=till, decline_code="", finished_at="", challenge_tries=0
            )
            self._books.save(payment)
            return payment

    def get(self, payment_id: str) -> Payment:
        """The payment with our id. Raises Refusal (404)."""
        return self._up_to_date(self._books.first(Payment, "id = ?", payment_id))

    def by_order(self, order_id: str) -> Payment:
        """The (first) payment with the merchant's id. Raises Refusal (404)."""
        return self._up_to_date(self._books.first(Payment, "order_id = ? ORDER BY seq", order_id))

    # --- What customers do on the page --------------------------------------------------------------------------

    def pay(self, payment_id: str, card: Plastic, refused: str = "") -> Payment:
        """Tries a card, once: a payment that is not open any more is returned as it is. Raises Refusal (404).

        `refused` is the decline of a try that the merchant would not have when asked.
        """
        with self._books.transaction():
            payment = self.get(payment_id)
            if payment.status != "created":
                return payment
            payment = replace(payment, card=plastic_text(card))
            self._books.number(payment.id, self._now())
            if refused:
                return self._declined(payment, refused)
            if card.behaviour.challenge:
                payment = replace(payment, status="awaiting_3ds", updated_at=self._now())
                self._books.save(payment)
                return payment
            return self._try(payment, card, card.behaviour.decline)

    def confirm(self, payment_id: str, code: str) -> Payment:
        """The code that the customer typed. The third wrong one declines the payment. Raises Refusal (404)."""
        with self._books.transaction():
            payment = self.get(payment_id)
            card = payment.plastic
            if payment.status != "awaiting_3ds" or card is None:
                return payment
            if code.strip() == CODE:
                return self._try(payment, card, card.behaviour.decline)
            payment = replace(payment, challenge_tries=payment.challenge_tries + 1, updated_at=self._now())
            if payment.challenge_tries >= CODE_TRIES:
                return self._declined(payment, "3ds_failed")
            self._books.save(payment)
            return payment

    def cancel_challenge(self, payment_id: str) -> Payment:
        """The customer would not confirm: declined. Raises Refusal (404)."""
        with self._books.transaction():
            payment = self.get(payment_id)
            return self._declined(payment, "3ds_cancelled") if payment.status == "awaiting_3ds" else payment

    def leave(self, payment_id: str) -> Payment:
        """The customer goes back without paying: voided, unless the page waits on. Raises Refusal (404)."""
        with self._books.transaction():
            payment = self.get(payment_id)
            closes = payment.status in OPEN and payment.tongue not in STAYS_OPEN
            return self._close(payment, "voided") if closes else payment

    def expire_due(self) -> None:
        """Closes the pages whose time is over."""
        where = "status IN ('created', 'awaiting_3ds') AND expires_at <> '' AND expires_at <= ?"
        for payment in self._books.select(Payment, where, self._now()):
            with self._books.transaction():
                self._up_to_date(self._books.first(Payment, "id = ?", payment.id))

    # --- Within ---------------------------------------------------------------------------------------------------

    def _try(self, payment: Payment, card: Plastic, decline: str) -> Payment:
        """The one place where a charge is decided."""
        fault = self._faults.take("decline")
        if fault:
            decline = fault.argument
        elif not decline and card.expired(self._journal.now()):
            decline = "expired_card"
        if decline:
            return self._declined(payment, decline)
        if payment.save_card:
            token = self._journal.new_id("tok")
            self._books.add(Token(token, payment.customer, payment.card, self._now()))
            payment = replace(payment, token=token)
        if not payment.capture:
            return self._close(payment, "authorized")
        return self._close(replace(payment, captured=payment.amount), "succeeded")

    def _declined(self, payment: Payment, decline: str) -> Payment:
        """The end of a try. Where the page outlives it, another card may be tried, as the protocol has it."""
        if payment.origin == "page" and payment.tongue in PATIENT:
            return self._goes_on(payment, decline)
        if payment.origin != "page" or payment.tongue not in LOOSE:
            return self._close(payment, "declined", decline)
        tried = self._set_aside(payment)
        self._books.save(replace(payment, status="created", card="", challenge_tries=0, updated_at=self._now()))
        return self._close(tried, "declined", decline)

    def _set_aside(self, payment: Payment) -> Payment:
        """What was tried on a page as a payment of its own, with the number it was told under."""
        tried = replace(payment, id=self._journal.new_id("pay"), origin="try", created_at=self._now())
        self._books.add(tried)
        self._books.query("UPDATE numbers SET id = ? WHERE id = ?", tried.id, payment.id)
        self._books.query("UPDATE operations SET id = ?, payment_id = ? WHERE id = ?", tried.id, tried.id, payment.id)
        return tried

    def _goes_on(self, payment: Payment, decline: str) -> Payment:
        payment = replace(payment, status="created", decline_code=decline, challenge_tries=0, updated_at=self._now())
        self._books.save(payment)
        self._journal.record(payment, "charge", payment.amount, "declined")
        self._journal.announce("payment.declined", payment)
        return payment

    def _close(self, payment: Payment, status: str, decline: str = "", *, again: bool = False) -> Payment:
        """Writes a payment's new state, its operation if money was tried, and the callback."""
        was, at = payment.status, self._now()
        payment = replace(payment, status=status, decline_code=decline, updated_at=at, finished_at=at)
        self._books.save(payment)
        if status != "voided" or was == "authorized":
            amount = payment.captured if status == "succeeded" else payment.amount
            self._journal.record(payment, "charge", amount, status)
        self._journal.announce(f"payment.{status}", payment)
        if status == "succeeded" and not again and self._faults.take("captured_twice"):
            self._again(payment)
        return payment

    def _again(self, payment: Payment, hold: bool = False) -> Payment:
        at, new_id = self._now(), self._journal.new_id("pay")
        again = replace(payment, id=new_id, refunded=0, charged_back=0, token="", created_at=at)
        if hold:
            again = replace(again, captured=0, capture=False)
        self._books.add(again)
        return self._close(again, "authorized" if hold else "succeeded", again=True)

    def _payment(self, order: Order, origin: str) -> Payment:
        at = self._now()
        return Payment(
            **asdict(order),
            id=self._journal.new_id("pay"),
            origin=origin,
            status="created",
            created_at=at,
            updated_at=at,
        )

    def _same_order(self, order: Order) -> Payment | None:
        known = self._books.first(Payment, "order_id = ? ORDER BY seq", order.order_id)
        if known is None or order.tongue in LOOSE:
            return None
        if known.origin == "tombstone":
            raise Refusal(409, "voided", "this order was voided before it came")
        if (known.amount, known.currency) != (order.amount, order.currency):
            raise Refusal(409, "conflict", "this order_id was used for another amount")
        return self._up_to_date(known)

    def _up_to_date(self, payment: Payment | None) -> Payment:
        """The payment, closed first if its time is over. Raises Refusal (404) for None."""
        if payment is None:
            raise Refusal(404, "not_found", "no such payment")
        if payment.status in OPEN and payment.expires_at and payment.expires_at <= self._now():
            payment = replace(payment, status="expired", updated_at=self._now(), finished_at=self._now())
            self._books.save(payment)
            if payment.tongue:  # our own protocol tells nothing of it
                self._journal.announce("payment.expired", payment)
        return payment

    def _now(self) -> str:
        return stamp(self._journal.now())
