"""The way of the bank's callbacks to the shop: from the bank's journal, in odd orders, as its faults have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from acquiring.bank.callbacks import Answer
from acquiring.bank.house import Bank
from acquiring.bank.signing import HEADER, sign
from billing import callbacks
from simulation.world import SHOP, World

DUE = "SELECT min(next_at) AS at FROM notes WHERE state = 'pending'"


class Courier:
    """Carries what is due. The bank signs and writes down; only the road is ours."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.chance("courier")
        for bank in world.banks.values():
            bank.courier._send = self._send
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
                    bank.courier.deliver(note)

    def told_for_certain(self, bank: Bank, object_id: str) -> None:
        """The callbacks that tell of money at one payment are not lost after all."""
        told = "type IN ('payment.authorized', 'payment.succeeded') AND state = 'lost'"
        bank.books.query(f"UPDATE notes SET state = 'pending' WHERE object_id = ? AND {told}", object_id)  # noqa: S608

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        name, world = url.removeprefix(f"{SHOP}/"), self._world
        if not world.calm and self._is_to_be_spoilt(body):
            world.diary.fault("callback_wrong_amount")
            lie = _lie(body)
            self._tell(url, lie, {**headers, HEADER: sign(world.banks[name].config.callback_secret, lie)})
        return self._tell(url, body, headers)

    def _is_to_be_spoilt(self, body: bytes) -> bool:
        """Whether a lie is told before this news."""
        world = self._world
        if b'"order_id": ""' in body:  # of the cabinet's doings we know nothing but what is told
            return False
        if b'"type": "refund.' in body and world.lies_of_refunds:
            world.lies_of_refunds -= 1
            return True
        if world.lies:
            world.lies -= 1
            return True
        return False

    def _tell(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        name = url.removeprefix(f"{SHOP}/")
        world = self._world
        what = f"callback to {name} {_short(body)}"
        reply = world.act("bank", what, lambda: callbacks.receive(name, "", headers, body, at=world.now), counts=False)
        return Answer(reply.status, reply.body, str(reply.status)) if reply is not None else Answer(0, b"", "no answer")


def _lie(body: bytes) -> bytes:
    """The same news with another id and another amount."""
    news = json.loads(body)
    news["id"] += "_lie"
    news["object"]["amount"] += 100
    return json.dumps(news).encode()


def _short(body: bytes) -> str:
    text = body.decode()
    return text.split('"id": "', 1)[1].split('"', 1)[0]
