"""Promo codes in use: reserved with the invoice, used when that is paid, released when it never will be.

The code's row is locked last of all (after the invoice), and only where its limits count.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.db.models.functions import Upper

from billing import money
from subscriptions import discounts
from subscriptions.models import Plan, Price, PromoCode, Redemption
from subscriptions.quotes import Quote


@dataclass(frozen=True, slots=True)
class Renewed:
    """A next term that is billed with the code of an earlier one."""

    user_id: uuid.UUID
    invoice_id: uuid.UUID
    quote: Quote


def reserve(invoice_id: uuid.UUID, user_id: uuid.UUID, quote: Quote, plan: Plan, price: Price, *, at: datetime) -> None:
    """Takes one use of the code that won the quote, in the transaction that issued the invoice. A code that lost, or
    none, takes nothing.

    Two who want the last use take turns here. Raises as `discounts.usable` does.
    """
    if not quote.promo_code:
        return
    code = PromoCode.objects.select_for_update().filter(code__iexact=quote.promo_code).first()
    if code is None:  # staff deleted it a moment ago
        raise discounts.not_found()
    refusal = discounts.refused(code, plan, price, at=at) or discounts.beyond(code, user_id)
    if refusal is not None:
        raise refusal
    Redemption.objects.create(
        promo_code=code,
        user_id=user_id,
        invoice_id=invoice_id,
        saved=money.to_minor(quote.saved),
        reserved_at=at,
    )


def renew(billed: Sequence[Renewed], *, at: datetime) -> None:
    """Notes the codes that go on with next terms, in one statement; no limit counts them."""
    won = [row for row in billed if row.quote.promo_code]
    if not won:
        return
    wanted = {row.quote.promo_code for row in won}
    codes = {code.code.upper(): code for code in PromoCode.objects.annotate(big=Upper("code")).filter(big__in=wanted)}
    Redemption.objects.bulk_create(
        Redemption(
            promo_code=codes[row.quote.promo_code],
            user_id=row.user_id,
            invoice_id=row.invoice_id,
            saved=money.to_minor(row.quote.saved),
            renews=True,
            reserved_at=at,
        )
        for row in won
    )


def use(invoice_id: uuid.UUID, *, at: datetime) -> None:
    """The invoice is paid: its code is used. The second time changes nothing."""
    _waiting(invoice_id).update(used_at=at)


def release(invoice_id: uuid.UUID, *, at: datetime) -> None:
    """The invoice will never be paid: its code is free again. The second time changes nothing."""
    _waiting(invoice_id).update(released_at=at)


def code_of(invoice_id: uuid.UUID) -> str:
    """The code that an invoice has reserved or used; empty where it has none."""
    found = Redemption.objects.filter(invoice_id=invoice_id, released_at=None).select_related("promo_code").first()
    return found.promo_code.code.upper() if found else ""


def _waiting(invoice_id: uuid.UUID) -> QuerySet[Redemption]:
    return Redemption.objects.filter(invoice_id=invoice_id, used_at=None, released_at=None)
