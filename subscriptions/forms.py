"""What the shop's pages read from a browser. A figure that was shown comes back, so that a stale one is noticed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from moneyed import Money

from accounts.fields import validate_printable
from acquiring import registry
from billing import money


class ShownAmount(forms.CharField):
    """A hidden figure in a known currency, as `moneyed.Money`."""

    widget = forms.HiddenInput

    def __init__(self, currency: str, **kwargs: Any) -> None:
        super().__init__(max_length=24, **kwargs)
        self.currency = currency

    def clean(self, value: Any) -> Money:
        text = super().clean(value)
        try:
            return money.parse(text, self.currency)
        except money.BadAmount as error:
            raise ValidationError(str(error)) from None


class CheckoutForm(forms.Form):
    """Buying a plan. `key` is made anew for each page, so that a double click is one purchase."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    save_card = forms.BooleanField(required=False, label="Renew by itself with this card")

    def __init__(self, currency: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["expected_total"] = ShownAmount(currency)
        names = registry.names()
        if len(names) > 1 and settings.CUSTOMER_CHOOSES_ACQUIRER:
            self.fields["acquirer"] = forms.ChoiceField(
                choices=[(name, name.replace("_", " ").capitalize()) for name in names],
                initial=registry.default(),
                widget=forms.RadioSelect,
                label="Pay through",
            )
        if not any(registry.get(name).capabilities.saved_cards for name in names):
            del self.fields["save_card"]


class CancelForm(forms.Form):
    """Cancelling: which subscription, and what the page said comes back."""

    subscription = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=300,
        required=False,
        validators=[validate_printable],
        label="Why are you leaving? (optional)",
    )

    def __init__(self, currency: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["expected_refund"] = ShownAmount(currency)
