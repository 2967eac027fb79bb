"""The way of the bank's callbacks to the shop: from the bank's journal, in odd orders, as its faults have it."""

from __future__ import annotations

from datetime import datetime

from acquiring.bank.callbacks import SIGNATURE_HEADER
from billing import callbacks
from simulation.world import SHOP, World

DUE = "SELECT min(next_at) AS at FROM notes WHERE state = 'pending'"


class Courier:
    """Carries what is due. The bank signs and writes down; only the road is ours."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("courier")
        world.bank.courier._send = self._send
        world.others.append(self.run)

    @property
    def next_at(self) -> datetime | None:
        """When the next callback is due."""
        at = self._world.bank.books.query(DUE)[0]["at"]
        return datetime.fromisoformat(at) if at else None

    def run(self) -> None:
        """Delivers what is due; under trouble the last comes first."""
        notes = self._world.bank.journal.due()
        if len(notes) > 1 and self._world.trouble():
            self._world.diary.fault("callbacks_overtaken")
            self._dice.shuffle(notes)
        for note in notes:
            for _ in range(1 + note.copies):
                if self._world.bank.journal.still_due(note.id) or note.copies:
                    self._world.bank.courier.deliver(note)

    def told_for_certain(self, object_id: str) -> None:
        """The callbacks of one payment are not lost after all."""
        self._world.bank.books.query("UPDATE notes SET state = 'pending' WHERE object_id = ? AND state = 'lost'", object_id)

    def _send(self, url: str, body: bytes, signature: str) -> tuple[bool, str]:
        name = url.removeprefix(f"{SHOP}/")
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature}
        world = self._world
        what = f"callback to {name} {_short(body)}"
        reply = world.act(
            "bank", what, lambda: callbacks.receive(name, "", headers, body, at=world.now), counts=False
        )
        return (True, "200") if reply is not None else (False, "no answer")


def _short(body: bytes) -> str:
    text = body.decode()
    return text.split('"id": "', 1)[1].split('"', 1)[0]


