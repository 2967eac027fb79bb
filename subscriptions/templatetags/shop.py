"""How the pages write money and time."""

from __future__ import annotations

from datetime import datetime, tzinfo

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from moneyed import Money

from billing import money

register = template.Library()


@register.filter
def spoken(amount: Money | None) -> str:
    """1 342.00 ₽"""
    return money.spoken(amount) if amount is not None else ""


@register.filter
def plain(amount: Money) -> str:
    """1342.00, for hidden fields that travel back."""
    return money.plain(amount)


@register.filter
def minor(amount: int, currency: str) -> str:
    """Minor units of a currency as `spoken` has them."""
    return money.spoken(money.from_minor(amount, currency))


@register.simple_tag
def moment(at: datetime | None, zone: tzinfo | None = None) -> SafeString | str:
    """A day and a time with the zone named: 21 November 2026, 14:05 MSK."""
    return _time(at, zone, "j F Y, H:i")


@register.simple_tag
def day(at: datetime | None, zone: tzinfo | None = None) -> SafeString | str:
    """A day alone, for where the hour does not matter; the exact time is in its title."""
    return _time(at, zone, "j F Y")


def _time(at: datetime | None, zone: tzinfo | None, form: str) -> SafeString | str:
    if at is None:
        return ""
    local = at.astimezone(zone or timezone.get_default_timezone())
    name = local.tzname() or ""
    if name[:1] in "+-":  # a zone without a name of its own
        name = f"UTC{name}"
    exact = f"{date_format(local, 'j F Y, H:i')}\u00a0{name}"
    text = exact if "H" in form else date_format(local, form)
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, text)
