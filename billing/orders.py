"""Orders: products bought once, by the piece. An order is an invoice whose purpose says so, with its line as it was."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from moneyed import Money

from accounts.models import User
from billing import invoices, ledger, payments, refunds, routes
from billing.errors import Conflict, Forbidden, Invalid, NotFound
from billing.models import Invoice, Payment, Product, Refund

PURPOSE = "order"
MOST = 1_000  # pieces of one order


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody orders. `return_url` may hold "{payment}"."""

    product_id: int
    count: int = 1
    acquirer: str = ""
    return_url: str = ""
    save_card: bool = False
    request_key: str | None = None


def buy(user_id: uuid.UUID, wanted: Wanted, *, actor: str, at: datetime) -> Payment:
    """Orders a product and opens the acquirer's page. The same `request_key` finds the first order.

    Raises Forbidden `email_not_confirmed`; Invalid `product_not_found`, `bad_count`, `unknown_acquirer`,
    `currency_not_supported`; Conflict `request_key_reused`, `invoice_closed`.
    """
    if not 1 <= wanted.count <= MOST:
        raise Invalid(f"One orders from 1 to {MOST} pieces.", "bad_count")
    product = Product.objects.filter(pk=wanted.product_id, on_sale=True).first()
    if product is None:
        raise Invalid("There is no such product on sale.", "product_not_found")
    routes.check(wanted.acquirer, product.currency)  # refused before anything is written
    with transaction.atomic(durable=True):
        invoice = _order(user_id, product, wanted, actor=actor, at=at)
    if invoice.status == Invoice.Status.PAID:
        return invoice.payments.get(status=Payment.Status.SUCCEEDED, surplus=False)
    return payments.start(
        invoice.pk,
        actor=actor,
        at=at,
        acquirer=wanted.acquirer,
        return_url=wanted.return_url,
        save_card=wanted.save_card,
        goods=product.code,
    )


def give_back(
    invoice_id: uuid.UUID,
    amount: Money,
    *,
    reason: str,
    actor: str,
    at: datetime,
    requested_by: uuid.UUID | None = None,
    request_key: str | None = None,
) -> Refund:
    """Gives a part of an order back, or all of it. Raises NotFound `order_not_found`; Conflict `not_paid`; and those
    of `refunds.request`.
    """
    invoice = Invoice.objects.filter(pk=invoice_id, purpose=PURPOSE).first()
    if invoice is None:
        raise NotFound("There is no such order.", "order_not_found")
    payment = invoice.payments.filter(status=Payment.Status.SUCCEEDED, surplus=False).first()
    if payment is None:
        raise Conflict("This order was not paid.", "not_paid")
    return refunds.request(
        payment.pk,
        amount=amount,
        reason=reason,
        actor=actor,
        at=at,
        requested_by=requested_by,
        request_key=request_key,
    )


def _order(user_id: uuid.UUID, product: Product, wanted: Wanted, *, actor: str, at: datetime) -> Invoice:
    """The invoice of an order: a new one, or the one that this request made before."""
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)  # two of one person take turns
    if not user.is_confirmed:
        raise Forbidden("Confirm your e-mail address first; we sent you a link.", "email_not_confirmed")
    code = f"product:{product.code}"
    if wanted.request_key:
        same = Invoice.objects.filter(user=user, request_key=wanted.request_key).first()
        if same is not None:
            if not same.lines.filter(product=code, quantity=wanted.count).exists():
                raise Conflict("This request key was used for another order.", "request_key_reused")
            return same
    return invoices.issue(
        user_id=user.pk,
        lines=[invoices.Line(code, product.name, product.money, quantity=wanted.count)],
        account=ledger.revenue(product.currency),
        purpose=PURPOSE,
        actor=actor,
        at=at,
        expires_at=at + settings.CHECKOUT_TTL,
        request_key=wanted.request_key,
    )
