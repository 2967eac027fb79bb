"""Rows made by hand, past every verb: for tests of what PostgreSQL itself refuses."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model

from billing import ledger
from billing.models import Invoice, Payment, Transfer
from tests.things import now, viewer


def refused(name: str, model: type[Model], /, **fields: Any) -> None:
    """Inserting this is refused by the constraint called `name`."""
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        model._default_manager.create(**fields)


def changed(name: str, row: Model, /, **fields: Any) -> None:
    """Changing the row so is refused by the constraint or trigger called `name`."""
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        type(row)._default_manager.filter(pk=row.pk).update(**fields)


def invoice(**more: Any) -> Invoice:
    return Invoice.objects.create(
        **{
            "user": more.pop("user", None) or viewer(),
            "status": "open",
            "purpose": "subscription",
            "account": ledger.revenue("RUB"),
            "total": 29_900,
            "currency": "RUB",
            "created_at": now(),
        }
        | more
    )


def payment(bill: Invoice | None = None, **more: Any) -> Payment:
    return Payment.objects.create(**payment_fields(bill or invoice(), **more))


def payment_fields(bill: Invoice, **more: Any) -> dict[str, Any]:
    return {
        "invoice": bill,
        "user_id": bill.user_id,
        "amount": 29_900,
        "currency": "RUB",
        "acquirer": "sandbox",
        "created_at": now(),
    } | more


def paid() -> Payment:
    return payment(status="succeeded", captured=29_900, settled_at=now())


def refund_fields(of: Payment, **more: Any) -> dict[str, Any]:
    return {"payment": of, "amount": 10_000, "currency": "RUB", "reason": "asked", "created_at": now()} | more


def transfer(**more: Any) -> Transfer:
    return Transfer.objects.create(**transfer_fields(**more))


def transfer_fields(**more: Any) -> dict[str, Any]:
    return {
        "reference": f"test:{uuid.uuid4()}",
        "debit": ledger.cash("sandbox", "RUB"),
        "credit": ledger.revenue("RUB"),
        "amount": 100,
        "currency": "RUB",
        "description": "a test",
        "at": now(),
    } | more
