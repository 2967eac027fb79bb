"""What marketing makes: promo codes and standing discounts. The admin's forms and the API come to the same rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import psycopg
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from billing.errors import Conflict, Invalid, NotFound, Refused
from subscriptions.models import PersonalDiscount, Plan, PromoCode, TermDiscount

Row = TypeVar("Row", bound=PersonalDiscount | TermDiscount | PromoCode)

WORTH = ("code", "percent", "amount", "currency")  # of a code that was used these stay
IN_USE = "This code was used, so it stays with what it takes off. Switch it off, and make another one."
TAKEN = {"promo_code_once": "promo_exists", "promo_code_within_limit": "promo_used_more_often"}
MISSING: dict[Any, tuple[str, str]] = {
    PromoCode: ("There is no such promo code.", "promo_not_found"),
    PersonalDiscount: ("There is no such discount.", "discount_not_found"),
    TermDiscount: ("There is no such discount.", "discount_not_found"),
}


def make(row: Row, plans: Iterable[Plan] = ()) -> Row:
    """Saves a new one; `plans` are those that a code is for, none for all of them.

    Raises Invalid with a sentence for what makes no sense; Conflict `promo_exists`, `discount_exists`.
    """
    with transaction.atomic():
        _save(row)
        if isinstance(row, PromoCode):
            row.plans.set(plans)
    return row


def change(kind: type[Row], pk: int, changes: Mapping[str, Any], plans: Iterable[Plan] | None = None) -> Row:
    """Sets the fields of `changes`; the others stay, and the plans of a code unless `plans` are given.

    Raises NotFound; what `make` does; Conflict `promo_in_use` for another worth of a code that was used,
    `promo_used_more_often` for a limit below its uses.
    """
    with transaction.atomic():
        row = _locked(kind, pk)
        other = any(getattr(row, name) != changes[name] for name in WORTH if name in changes)
        if other and _in_use(row):
            raise Conflict(IN_USE, "promo_in_use")
        for name, value in changes.items():
            setattr(row, name, value)
        _save(row)
        if isinstance(row, PromoCode) and plans is not None:
            row.plans.set(plans)
    return row


def remove(kind: type[Row], pk: int) -> None:
    """Deletes one; terms that are paid or billed keep what it took off.

    Raises NotFound; Conflict `promo_in_use` for a code that was used: that is switched off instead.
    """
    with transaction.atomic():
        row = _locked(kind, pk)
        if _in_use(row):
            raise Conflict(IN_USE, "promo_in_use")
        row.delete()


def _locked(kind: type[Row], pk: int) -> Row:
    manager: Any = kind._default_manager
    row: Row | None = manager.select_for_update().filter(pk=pk).first()
    if row is None:
        raise NotFound(*MISSING[kind])
    return row


def _in_use(row: Row) -> bool:
    return isinstance(row, PromoCode) and row.redemptions.exists()


def _save(row: Row) -> None:
    """The database is asked for its constraints by saving: two at once cannot both be told that all is well."""
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise Invalid(error.messages[0], "invalid", errors=error.message_dict) from None
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise _refusal(row, error) from None


def _refusal(row: Row, error: IntegrityError) -> Refused:
    """The sentence of the constraint that was broken."""
    broken = error.__cause__
    name = broken.diag.constraint_name if isinstance(broken, psycopg.Error) else None
    said = {each.name: str(each.violation_error_message) for each in row._meta.constraints}
    if name in TAKEN:
        return Conflict(said[name], TAKEN[name])
    if name in said:
        return Invalid(said[name], "invalid")
    return Conflict("There is a discount from this number of months on already.", "discount_exists")
