"""What the bank writes down besides payments: the registry of operations, and the callbacks it owes the merchant."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from acquiring.bank.books import Books
from acquiring.bank.faults import Faults
from acquiring.bank.letters import Letter
from acquiring.bank.records import Note, Operation, Payment, Refund, Refusal, stamp
from acquiring.bank.tongues import TONGUES

PAGE = 100
HELD_FOR = timedelta(seconds=3)
BACKOFF = (1, 2, 5, 10, 30, 60)  # seconds; the last one goes on
MAX_TRIES = 100


def mint(prefix: str) -> str:
    """A new id that cannot be guessed: the link of a payment's page is also its key."""
    return f"{prefix}_{secrets.token_hex(16)}"


class Journal:
    """Operations and callbacks, written in the same transaction as the fact they tell."""

    def __init__(
        self,
        books: Books,
        faults: Faults,
        now: Callable[[], datetime],
        *,
        public_url: str = "",
        callback_url: str = "",
        new_id: Callable[[str], str] = mint,
    ) -> None:
        self.books, self.faults, self.now, self.new_id = books, faults, now, new_id
        self.public_url, self.callback_url = public_url, callback_url
        self.on_note: Callable[[], None] = lambda: None

    def record(self, subject: Payment | Refund, kind: str, amount: int, state: str) -> None:
        """Writes the operation of a payment or refund, or its new state and amount when it is known."""
        payment_id = subject.id if isinstance(subject, Payment) else subject.payment_id
        line_id = f"{subject.id}_chargeback" if kind == "chargeback" else subject.id
        at = stamp(self.now())
        # A refund that waits in the cabinet is a transaction from then on, not from when it is made.
        self.books.number(subject.id, subject.created_at if isinstance(subject, Refund) else at)
        line = Operation(line_id, subject.order_id, payment_id, kind, amount, subject.currency, state, at)
        if self.books.first(Operation, "id = ?", line_id):
            self.books.save(line)
        else:
            self.books.add(line)

    def operations(self) -> list[Operation]:
        """Every operation ever, in order."""
        return self.books.select(Operation, "1 ORDER BY seq")

    def statement(self, day: date, page: int) -> tuple[list[dict[str, Any]], int | None]:
        """One page of the charges, refunds and chargebacks of a day (UTC), and the number of the next page."""
        since, until = day.isoformat(), (day + timedelta(days=1)).isoformat()
        where = "at >= ? AND at < ? ORDER BY seq LIMIT ? OFFSET ?"
        lines = self.books.select(Operation, where, since, until, PAGE + 1, PAGE * (page - 1))
        items = [{**self._object(line), "at": line.at} for line in lines[:PAGE]]
        return items, page + 1 if len(lines) > PAGE else None

    def _object(self, line: Operation) -> dict[str, Any]:
        if line.kind == "refund":
            return self.books.select(Refund, "id = ?", line.id)[0].as_json()
        return self.books.select(Payment, "id = ?", line.payment_id)[0].as_json(self.public_url)

    def address(self, payment: Payment) -> str:
        """Where the merchant wants to hear of a payment; "" for nowhere."""
        return (payment.callback_url or self.callback_url).replace("{acquirer}", payment.tongue or "sandbox")

    def announce(self, kind: str, subject: Payment | Refund) -> None:
        """Owes the merchant a callback of this kind, and lets the callback faults have their way with it."""
        payment = (
            subject if isinstance(subject, Payment) else self.books.select(Payment, "id = ?", subject.payment_id)[0]
        )
        url = self.address(payment)
        if not url:
            return
        tongue = TONGUES[payment.tongue]
        if self.faults.take("callback_forged"):
            for letter in tongue.letters(self, "payment.succeeded", _forged(payment), None):
                self.books.add(replace(self._note(letter, payment, url), forged=True))
        for letter in tongue.letters(self, kind, payment, subject if isinstance(subject, Refund) else None):
            self._owe(self._note(letter, payment, url))
        self.on_note()

    def _owe(self, note: Note) -> None:
        if duplicate := self.faults.take("callback_duplicate"):
            note = replace(note, copies=int(duplicate.argument))
        if delayed := self.faults.take("callback_delayed"):
            note = replace(note, next_at=stamp(self.now() + timedelta(seconds=delayed.number)))
        if self.faults.take("callback_reordered"):
            note = replace(note, held=True, next_at=stamp(self.now() + HELD_FOR))
        if self.faults.take("callback_lost"):
            note = replace(note, state="lost")
        self.books.add(note)

    def _note(self, letter: Letter, payment: Payment, url: str) -> Note:
        at = stamp(self.now())
        address = f"{url.rstrip('/')}/{letter.path}" if letter.path else url
        return Note(letter.id, letter.type, letter.about, address, letter.body, at, at, tongue=payment.tongue)

    def due(self, limit: int = 64) -> list[Note]:
        """Callbacks whose time has come, oldest first."""
        where = "state = 'pending' AND next_at <= ? ORDER BY seq LIMIT ?"
        return self.books.select(Note, where, stamp(self.now()), limit)

    def still_due(self, note_id: str) -> bool:
        """Whether the callback waits to be sent now."""
        where = "id = ? AND state = 'pending' AND next_at <= ?"
        return self.books.first(Note, where, note_id, stamp(self.now())) is not None

    def delivered(self, note_id: str, ok: bool, result: str) -> None:
        """Writes down one delivery: done, or to be tried again later, or given up after many tries."""
        with self.books.transaction():
            note = self.books.first(Note, "id = ?", note_id)
            if note is None:  # the books were emptied meanwhile
                return
            at = self.now()
            self.books.query("INSERT INTO attempts (note_id, at, result) VALUES (?, ?, ?)", note_id, stamp(at), result)
            if note.state == "delivered":
                return
            note = replace(note, tries=note.tries + 1, held=False, last_status=result)
            if ok or note.forged:  # a forger does not try again
                self.books.save(replace(note, state="delivered" if ok else "given_up"))
                self._release_held(note)
            elif note.tries >= MAX_TRIES:
                self.books.save(replace(note, state="given_up"))
            else:
                wait = BACKOFF[min(note.tries, len(BACKOFF)) - 1]
                self.books.save(replace(note, next_at=stamp(at + timedelta(seconds=wait))))

    def _release_held(self, by: Note) -> None:
        if not by.forged:
            at = stamp(self.now())
            self.books.query("UPDATE notes SET held = 0, next_at = ? WHERE held = 1 AND state = 'pending'", at)


def _forged(payment: Payment) -> Payment:
    """What a liar would like us to believe: paid in full, and ten times as much."""
    amount = 10 * payment.amount
    return replace(payment, status="succeeded", amount=amount, captured=amount, decline_code="")


def parse_day(text: str) -> date:
    """The day of a statement. Raises Refusal (422)."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refusal(422, "invalid", "day must be YYYY-MM-DD") from None
