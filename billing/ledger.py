"""The books: every movement of money is one immutable transfer "debit ← credit". PostgreSQL guards them as well."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q, Sum
from moneyed import Money

from billing import money
from billing.models import Account, Payment, Transfer

WALLET = "wallet"  # stands for the acquirer of a payment that was made from the customer's wallet


def cash(acquirer: str, currency: str) -> Account:
    """What an acquirer holds for us."""
    return _house(Account.Kind.CASH, f"cash:{acquirer}:{currency}", currency)


def revenue(currency: str) -> Account:
    """What was earned."""
    return _house(Account.Kind.REVENUE, f"revenue:{currency}", currency)


def refunds(currency: str) -> Account:
    """What was earned and given back."""
    return _house(Account.Kind.REFUNDS, f"refunds:{currency}", currency)


def fees(currency: str) -> Account:
    """What acquirers kept, and disputes that were lost."""
    return _house(Account.Kind.FEES, f"fees:{currency}", currency)


def suspense(currency: str) -> Account:
    """Money that we cannot explain yet."""
    return _house(Account.Kind.SUSPENSE, f"suspense:{currency}", currency)


def wallet(user_id: uuid.UUID, currency: str) -> Account:
    """What a customer has put in and not spent."""
    return Account.objects.get_or_create(
        code=f"wallet:{user_id}:{currency}",
        defaults={"kind": Account.Kind.WALLET, "currency": currency, "user_id": user_id},
    )[0]


def source(payment: Payment) -> Account:
    """Where the money of a payment is taken from, and goes back to: an acquirer's cash, or the customer's wallet."""
    if payment.acquirer == WALLET:
        return wallet(payment.user_id, payment.currency)
    return cash(payment.acquirer, payment.currency)


def held(account: Account, *, lock: bool = False) -> Money:
    """What a wallet holds now; with `lock` it stays so until the end of the transaction."""
    rows = Account.objects.filter(pk=account.pk)
    row = rows.select_for_update(no_key=True).get() if lock else rows.get()
    return money.from_minor(row.balance, row.currency)


def post(reference: str, *, debit: Account, credit: Account, amount: Money, description: str, at: datetime) -> Transfer:
    """Books `amount` from `credit` to `debit`. A second transfer with the same reference raises IntegrityError.

    Locks customers' accounts in the order of their ids; the house's need no lock, they keep no balance.
    """
    wallets = [account.pk for account in (debit, credit) if account.kind == Account.Kind.WALLET]
    if wallets:
        list(Account.objects.select_for_update(no_key=True).filter(pk__in=wallets).order_by("pk"))
    return Transfer.objects.create(
        reference=reference,
        debit=debit,
        credit=credit,
        amount=money.to_minor(amount),
        currency=amount.currency.code,
        description=description,
        at=at,
    )


def post_many(transfers: Sequence[Transfer]) -> None:
    """`post` for many transfers that are not saved yet, whose accounts are loaded, in two statements at most."""
    accounts = [account for transfer in transfers for account in (transfer.debit, transfer.credit)]
    wallets = {account.pk for account in accounts if account.kind == Account.Kind.WALLET}
    if wallets:
        list(Account.objects.select_for_update(no_key=True).filter(pk__in=wallets).order_by("pk"))
    Transfer.objects.bulk_create(transfers)


def balance(account: Account) -> Money:
    """What an account's transfers come to: debits less credits for cash, refunds and fees, else the reverse."""
    sums = Transfer.objects.filter(Q(debit=account) | Q(credit=account)).aggregate(
        debits=Sum("amount", filter=Q(debit=account), default=0),
        credits=Sum("amount", filter=Q(credit=account), default=0),
    )
    minor = sums["debits"] - sums["credits"]
    if account.kind not in (Account.Kind.CASH, Account.Kind.REFUNDS, Account.Kind.FEES):
        minor = -minor
    return money.from_minor(minor, account.currency)


def _house(kind: Account.Kind, code: str, currency: str) -> Account:
    return Account.objects.get_or_create(code=code, defaults={"kind": kind, "currency": currency})[0]
