"""Forms of the account pages."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm
from django.http import HttpRequest

from accounts.fields import validate_printable

PASSWORD_LENGTH = 128  # characters; hashing something endless is a way to tire the server


class SignUpForm(forms.Form):
    """Who signs up. Whether the e-mail is known already is not for this form to say."""

    name = forms.CharField(
        max_length=150,
        required=False,
        validators=[validate_printable],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        label="Your name (optional)",
    )
    email = forms.EmailField(
        max_length=254,
        validators=[validate_printable],
        widget=forms.EmailInput(attrs={"autocomplete": "username", "inputmode": "email"}),
        label="E-mail",
    )
    password = forms.CharField(
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 8 characters, not only digits, and not one that everybody uses.",
    )


class LogInForm(AuthenticationForm):
    """The stock form, asking for an e-mail."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        wrong = "This e-mail and password do not belong together. Capitals matter in the password only."
        self.error_messages = {**self.error_messages, "invalid_login": wrong}
        self.fields["username"].widget = forms.EmailInput(
            attrs={"autocomplete": "username", "inputmode": "email", "maxlength": 254, "autofocus": True}
        )
        self.fields["username"].label = "E-mail"
        self.fields["password"].max_length = PASSWORD_LENGTH  # type: ignore[attr-defined]


class ForgotForm(PasswordResetForm):
    """The stock form, in the shop's spelling."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail"
