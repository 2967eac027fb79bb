"""Wallets: money that a customer has put in, to pay from. Filled by a card, emptied by paying or back to the cards."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import connection, transaction
from moneyed import Money

from accounts.models import User
from acquiring.types import Outcome, Status
from billing import events, invoices, ledger, money, payments, refunds, routes, settlement
from billing.errors import Conflict, Forbidden, Invalid
from billing.models import Account, Invoice, Payment, Refund

PURPOSE = "top_up"
Busy = Callable[[uuid.UUID, str], str]

_busy: list[Busy] = []


@dataclass(frozen=True, slots=True)
class TopUp:
    """What somebody wants to put in. `description` is theirs to read; `return_url` may hold "{payment}"."""

    amount: Money
    description: str = ""
    acquirer: str = ""
    return_url: str = ""
    save_card: bool = False
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement: what came in (above zero) or went out, and what was there after it."""

    id: int
    at: datetime
    description: str
    reference: str
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Closed:
    """What events of closing a wallet are about: its owner."""

    pk: uuid.UUID
    noun: ClassVar[str] = "wallet"

    @property
    def customer_id(self) -> uuid.UUID:
        return self.pk


def in_use(finder: Busy) -> Busy:
    """Registers who knows why a customer's wallet in a currency cannot be closed now: a sentence, or "" ."""
    if finder not in _busy:
        _busy.append(finder)
    return finder


def limit(currency: str) -> Money:
    """The most that may be put in at once."""
    return Money(settings.TOP_UP_LIMITS.get(currency, settings.TOP_UP_LIMITS[""]), money.currency(currency))


def top_up(user_id: uuid.UUID, wanted: TopUp, *, actor: str, at: datetime) -> Payment:
    """Opens the acquirer's page for money that goes to the customer's wallet, once, when it is paid.

    The same `request_key` finds the first payment. Raises Forbidden `email_not_confirmed`; Invalid `bad_amount`,
    `amount_too_large`, `unknown_acquirer`, `currency_not_supported`; Conflict `request_key_reused`, `invoice_closed`.
    """
    currency, most = wanted.amount.currency.code, limit(wanted.amount.currency.code)
    if wanted.amount.amount <= 0:
        raise Invalid("What is put in must be above zero.", "bad_amount")
    if wanted.amount > most:
        raise Invalid(f"No more than {money.spoken(most)} can be put in at once.", "amount_too_large")
    routes.check(wanted.acquirer, currency)  # refused before anything is written
    with transaction.atomic(durable=True):
        invoice = _demand(user_id, wanted, actor=actor, at=at)
    if invoice.status == Invoice.Status.PAID:
        return invoice.payments.get(status=Payment.Status.SUCCEEDED, surplus=False)
    return payments.start(
        invoice.pk,
        actor=actor,
        at=at,
        acquirer=wanted.acquirer,
        return_url=wanted.return_url,
        save_card=wanted.save_card,
        goods="top_up",
    )


def pay(invoice_id: uuid.UUID, *, actor: str, at: datetime) -> Payment:
    """Pays an open invoice from its customer's wallet, whole or not at all. The second time finds the first payment.

    A page of an acquirer that is still open for it is closed first. Raises NotFound; Conflict `invoice_closed`,
    `invoice_paid` (by a card), `payment_in_progress`, `short_balance`; Invalid `not_from_the_wallet`.
    """
    live = Payment.objects.filter(invoice_id=invoice_id, status__in=Payment.LIVE)
    for payment_id in live.exclude(acquirer=ledger.WALLET).values_list("pk", flat=True):
        payments.cancel(payment_id, at=at)
    with transaction.atomic(durable=True):
        invoice = invoices.lock(invoice_id)
        made = invoice.payments.filter(acquirer=ledger.WALLET, status=Payment.Status.SUCCEEDED).first()
        if made is not None:
            return made
        _check_payable(invoice, at)
        wallet = ledger.wallet(invoice.user_id, invoice.currency)
        held = ledger.held(wallet, lock=True)
        if held < invoice.money:
            raise Conflict(
                f"The wallet holds {money.spoken(held)}; {money.spoken(invoice.money - held)} is missing.",
                "short_balance",
                balance=money.plain(held),
                missing=money.plain(invoice.money - held),
            )
        payment = Payment.objects.create(
            invoice=invoice,
            user_id=invoice.user_id,
            amount=invoice.total,
            currency=invoice.currency,
            acquirer=ledger.WALLET,
            card="Wallet",
            created_at=at,
        )
        events.emit(
            "payment.created", payment, actor=actor, at=at, to_state=payment.status, data=settlement.told(payment)
        )
        return settlement.apply(payment.pk, Outcome(Status.SUCCEEDED, amount=payment.money), actor=actor, at=at)


def statement(wallet: Account, *, before: int | None = None, count: int = 20) -> list[Line]:
    """The lines of a wallet, newest first, with the balance after each; those older than the line `before`.

    The transfers themselves are the statement, so it can say nothing else than the balance.
    """
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, {"wallet": wallet.pk, "before": before, "count": count})
        rows = cursor.fetchall()
    return [
        Line(
            pk,
            at,
            description,
            reference,
            money.from_minor(minor, wallet.currency),
            money.from_minor(int(after), wallet.currency),
        )
        for pk, at, description, reference, minor, after in rows
    ]


def close(
    user_id: uuid.UUID,
    currency: str,
    *,
    actor: str,
    at: datetime,
    reason: str,
    expected_balance: Money | None = None,
    requested_by: uuid.UUID | None = None,
) -> list[Refund]:
    """Gives all that a wallet holds back to the cards that filled it, the newest top-up first.

    The refunds are promised in one commit, then the acquirers are asked. Raises Conflict `empty_wallet`,
    `wallet_in_use`, `stale_balance`, and `not_returnable` where the cards' payments no longer cover it.
    """
    with transaction.atomic(durable=True):
        User.objects.select_for_update(no_key=True).get(pk=user_id)
        why = next((why for finder in _busy if (why := finder(user_id, currency))), "")
        if why:
            raise Conflict(why, "wallet_in_use")
        rows = _returns(ledger.wallet(user_id, currency), expected_balance)
        promised = [
            refunds.promise(
                payment, amount=amount, reason="Wallet closed", actor=actor, at=at, requested_by=requested_by
            )
            for payment, amount in rows
        ]
        told = {"currency": currency, "refunds": [str(refund.pk) for refund in promised]}
        events.emit("wallet.closed", Closed(user_id), actor=actor, at=at, reason=reason, data=told)
    return [refunds.submit(refund.pk, at=at) for refund in promised]


STATEMENT = """
    SELECT id, at, description, reference, minor, after
      FROM (SELECT id, at, description, reference, minor, sum(minor) OVER (ORDER BY id) AS after
              FROM (SELECT id, at, description, reference, amount AS minor
                      FROM billing_transfer WHERE credit_id = %(wallet)s
                     UNION ALL
                    SELECT id, at, description, reference, -amount
                      FROM billing_transfer WHERE debit_id = %(wallet)s) side) line
     WHERE %(before)s::bigint IS NULL OR id < %(before)s::bigint
     ORDER BY id DESC LIMIT %(count)s"""


def _demand(user_id: uuid.UUID, wanted: TopUp, *, actor: str, at: datetime) -> Invoice:
    """The invoice of a top-up: a new one, or the one that this request made before."""
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)  # two of one person take turns
    if not user.is_confirmed:
        raise Forbidden("Confirm your e-mail address first; we sent you a link.", "email_not_confirmed")
    if wanted.request_key:
        same = Invoice.objects.filter(user=user, request_key=wanted.request_key).first()
        if same is not None and (same.purpose, same.money) != (PURPOSE, wanted.amount):
            raise Conflict("This request key was used for another order.", "request_key_reused")
        if same is not None:
            return same
    return invoices.issue(
        user_id=user.pk,
        lines=[invoices.Line("wallet:top_up", wanted.description or "Top-up of the wallet", wanted.amount)],
        account=ledger.wallet(user.pk, wanted.amount.currency.code),
        purpose=PURPOSE,
        actor=actor,
        at=at,
        expires_at=at + settings.CHECKOUT_TTL,
        request_key=wanted.request_key,
    )


def _check_payable(invoice: Invoice, at: datetime) -> None:
    if invoice.status == Invoice.Status.PAID:
        raise Conflict("The invoice is paid already.", "invoice_paid")
    expired = invoice.expires_at is not None and invoice.expires_at <= at
    if invoice.status != Invoice.Status.OPEN or expired:
        raise Conflict("The invoice is closed; begin anew.", "invoice_closed")
    if invoice.account.kind == Account.Kind.WALLET or invoice.total == 0:
        raise Invalid("This cannot be paid from a wallet.", "not_from_the_wallet")
    if invoice.payments.filter(status__in=Payment.LIVE).exists():
        raise Conflict("A payment of this invoice is in progress.", "payment_in_progress")


def _returns(wallet: Account, expected: Money | None) -> list[tuple[Payment, Money]]:
    """Which payments give back how much so that a wallet is empty. All payments are locked before the account is."""
    filled = Payment.objects.filter(invoice__account=wallet, status=Payment.Status.SUCCEEDED, surplus=False)
    rows = [refunds.lock_payment(pk) for pk in filled.order_by("-settled_at", "-pk").values_list("pk", flat=True)]
    left = ledger.held(wallet, lock=True)
    if expected is not None and expected != left:
        raise Conflict(f"The wallet holds {money.spoken(left)} now.", "stale_balance", balance=money.plain(left))
    if left.amount == 0:
        raise Conflict("The wallet is empty.", "empty_wallet")
    parts: list[tuple[Payment, Money]] = []
    for payment in rows:
        part = min(left, payment.refundable)
        if part.amount > 0:
            parts.append((payment, part))
            left -= part
    if left.amount > 0:
        raise Conflict(
            f"{money.spoken(left)} of the wallet did not come from a card to which it could go back. Write to us.",
            "not_returnable",
            left=money.plain(left),
        )
    return parts
