"""The way of the bank's callbacks to the shop: from the bank's journal, in odd orders, as its faults have it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from acquiring.bank.callbacks import Answer
from acquiring.bank.house import Bank
from acquiring.bank.records import Note, Refund
from billing import callbacks, models
from simulation import lies
from simulation.protocols import SHOP, ours_of_refund
from simulation.world import World

DUE = "SELECT min(next_at) AS at FROM notes WHERE state = 'pending'"


class Courier:
    """Carries what is due. The bank signs and writes down; only the road is ours."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("courier")
        for bank in world.banks.values():
            bank.courier.send = self._send
        world.others.append(self.run)

    @property
    def next_at(self) -> datetime | None:
        """When the next callback is due."""
        dues = [bank.books.query(DUE)[0]["at"] for bank in self._world.banks.values()]
        return min((datetime.fromisoformat(at) for at in dues if at), default=None)

    def run(self) -> None:
        """Delivers what is due; under trouble the last comes first."""
        for bank in self._world.banks.values():
            self._carry(bank)

    def _carry(self, bank: Bank) -> None:
        notes = bank.journal.due()
        if len(notes) > 1 and self._world.trouble():
            self._world.diary.fault("callbacks_overtaken")
            self._dice.shuffle(notes)
        for note in notes:
            for _ in range(1 + note.copies):
                if bank.journal.still_due(note.id) or note.copies:
                    self._lie(bank, note)
                    bank.courier.deliver(note)

    def told_for_certain(self, bank: Bank, object_id: str) -> None:
        """The callbacks that tell of a payment are not lost after all."""
        bank.books.query("UPDATE notes SET state = 'pending' WHERE object_id = ? AND state = 'lost'", object_id)

    def _lie(self, bank: Bank, note: Note) -> None:
        """Where a lie is ordered, and this callback leaves room for one, it is told before."""
        world = self._world
        of_a_refund = lies.is_of_a_refund(note)
        if world.calm or not (world.lies_of_refunds if of_a_refund else world.lies):
            return
        if of_a_refund and not _waits(bank, note):
            return
        lie = lies.of(note, bank.config)
        if lie is not None:
            world.lies_of_refunds -= of_a_refund
            world.lies -= not of_a_refund
            world.diary.fault("callback_wrong_amount")
            self._send(note.url, *lie)

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One callback, or the question before a payment."""
        world = self._world
        name, _, kind = url.removeprefix(f"{SHOP}/").partition("/")
        what = f"callback to {name} {kind} {hashlib.sha256(body).hexdigest()[:16]}"
        reply = world.act(
            "bank", what, lambda: callbacks.receive(name, kind, headers, body, at=world.now), counts=False
        )
        return Answer(reply.status, reply.body, str(reply.status)) if reply is not None else Answer(0, b"", "no answer")


def _waits(bank: Bank, note: Note) -> bool:
    """Whether a callback is of a refund of ours that is not final here: of others nobody would believe a lie."""
    refund = bank.books.first(Refund, "id = ?", note.object_id)
    order = ours_of_refund(refund) if refund else ""
    return bool(order) and models.Refund.objects.filter(pk=order, status__in=models.Refund.LIVE).exists()
