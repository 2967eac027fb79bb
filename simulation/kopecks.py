"""Every kopeck in the banks' books against ours: what we cannot explain, and on which day it happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from acquiring.bank.house import Bank
from acquiring.bank.records import Operation
from acquiring.bank.records import Payment as BankPayment
from acquiring.bank.records import Refund as BankRefund
from billing import ledger, money
from billing.models import Case, Payment, Refund, Transfer
from simulation.protocols import TELLS_NO_PARTS, ours_of_refund, payment_reference, refund_reference
from simulation.world import World

Row = TypeVar("Row", BankPayment, BankRefund)


@dataclass(frozen=True, slots=True)
class Riddle:
    """Something that one side's books tell and the other's do not, and the days on which it may have happened."""

    days: set[date]
    sentence: str


class Kopecks:
    """Both sides' books as they are now."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.taken = list(_rows(world, BankPayment, "captured > 0 ORDER BY seq"))
        self._returned = list(_rows(world, BankRefund, "status = 'succeeded' ORDER BY seq"))
        self._held = [each for _, _, each in _rows(world, BankPayment, "status = 'authorized'")]
        self._refunds = list(Refund.objects.exclude(payment__acquirer=ledger.WALLET).order_by("pk"))
        payments = Payment.objects.exclude(acquirer_payment_id="").order_by("pk")
        self._ours = {(payment.acquirer, payment.acquirer_payment_id): payment for payment in payments}
        # What a case explains: the money of a payment, or a refund.
        of_payments, of_refunds = {"missing_here", "amount_differs", "state_differs"}, {"unknown_refund"}
        cases = list(Case.objects.values("pk", "kind", "reference", "payment_id"))
        self._money = {
            str(case[name]) for case in cases if case["kind"] in of_payments for name in ("reference", "payment_id")
        }
        self._returns = {str(case["reference"]) for case in cases if case["kind"] in of_refunds}
        backs = {f"case:{case['pk']}:back": str(case["pk"]) for case in cases}
        booked = Transfer.objects.filter(reference__in=list(backs)).values_list("reference", flat=True)
        self._returns |= {backs[reference] for reference in booked}

    def riddles(self) -> Iterator[Riddle]:
        """What does not agree, operation by operation."""
        yield from self._payments()
        yield from self._of_refunds()
        for held in self._held:
            yield Riddle({_day(held.updated_at)}, f"The bank still holds {held.amount} of {held.order_id}")

    def _payments(self) -> Iterator[Riddle]:
        known = set()
        for name, bank, theirs in self.taken:
            reference = payment_reference(bank, theirs)
            known.add((name, reference))
            ours = self._ours.get((name, reference))
            if reference in self._money or (ours and str(ours.pk) in self._money):
                continue
            booked, lost = (ours.captured, ours.charged_back) if ours else (0, 0)
            if (booked, lost) != (theirs.captured, theirs.charged_back):
                sentence = f"{name} took {theirs.captured} as {reference} for {theirs.order_id}, we booked {booked}"
                yield Riddle(_days(bank, theirs) | ({ours.created_at.date()} if ours else set()), sentence)
        for (name, reference), ours in self._ours.items():
            if ours.captured and (name, reference) not in known and name in self._world.banks:
                yield Riddle(set(), f"We booked {ours.captured} as {reference}, {name} took nothing")

    def _of_refunds(self) -> Iterator[Riddle]:
        made = {str(each.pk): each for each in self._refunds} | {
            each.acquirer_refund_id: each for each in self._refunds if each.acquirer_refund_id
        }
        known = set()
        for name, bank, theirs in self._returned:
            paid = bank.books.select(BankPayment, "id = ?", theirs.payment_id)[0]
            names = {ours_of_refund(theirs), refund_reference(bank, theirs, paid.tongue)} - {""}
            if paid.tongue in TELLS_NO_PARTS and not ours_of_refund(theirs):  # known there by its payment and its sum
                names.add(f"{payment_reference(bank, paid)}:{paid.refunded}")
            known |= names
            ours = next((made[each] for each in names if each in made), None)
            if ours is None and names & self._returns:
                continue
            if ours is None or ours.status != Refund.Status.SUCCEEDED or ours.amount != theirs.amount:
                days = _days(bank, paid) | {_day(theirs.created_at)}  # some list a refund on the day it was asked for
                yield Riddle(days, f"{name} gave back {theirs.amount} as {theirs.id}, we did not")
        for ours in self._refunds:
            if ours.status == Refund.Status.SUCCEEDED and not {str(ours.pk), ours.acquirer_refund_id} & known:
                yield Riddle(set(), f"We booked the refund {ours.pk}, the bank did not make it")

    def sums(self) -> tuple[int, int]:
        """Our cash at all acquirers, and what is left of everything that the banks took."""
        cash = sum(money.to_minor(ledger.balance(ledger.cash(name, "RUB"))) for name in self._world.banks)
        return cash, sum(each.captured - each.refunded - each.charged_back for _, _, each in self.taken)

    def charged_twice(self) -> list[Any]:
        """The invoices for which a bank keeps more than one payment's money."""
        charges: dict[Any, list[tuple[Payment, BankPayment]]] = defaultdict(list)
        for name, bank, theirs in self.taken:
            if (ours := self._ours.get((name, payment_reference(bank, theirs)))) and ours.captured:
                charges[ours.invoice_id].append((ours, theirs))
        return [invoice for invoice, both in charges.items() if _is_doubled(both)]


def _rows(world: World, kind: type[Row], where: str) -> Iterator[tuple[str, Bank, Row]]:
    for name, bank in world.banks.items():
        for row in bank.books.select(kind, where):
            yield name, bank, row


def _is_doubled(charges: list[tuple[Payment, BankPayment]]) -> bool:
    owed = [ours for ours, _ in charges if not ours.surplus]
    kept = [
        ours for ours, theirs in charges if ours.surplus and theirs.refunded + theirs.charged_back < theirs.captured
    ]
    return len(owed) > 1 or bool(kept)


def _days(bank: Bank, payment: BankPayment) -> set[date]:
    """On which money of a payment moved at the bank, or may have, and the one on which it was asked for."""
    moved = [line.at for line in bank.books.select(Operation, "payment_id = ?", payment.id)]
    return {_day(at) for at in (payment.created_at, payment.finished_at, payment.updated_at, *moved)}


def _day(stamp: str) -> date:
    return date.fromisoformat(stamp[:10])
