"""{% parked_count %}: how many rows need a human, for the admin's front page."""

from typing import Any

from django import template

from billing.admin import parked

register = template.Library()


@register.simple_tag(takes_context=True)
def parked_count(context: dict[str, Any]) -> int | None:
    """The number, as far as this person may see; None for one who may see none of it."""
    return parked.count(context["request"])
