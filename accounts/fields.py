"""Text that people type: what may be stored, and in which form."""

import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


def validate_printable(value: str) -> None:
    """Refuse control characters (NUL, line breaks) and lone surrogates.

    PostgreSQL cannot store NUL or a surrogate, and a line break in a name would reach the headers of a mail.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValidationError("Control characters are not allowed.", code="control_character")


class LowercaseEmailField(models.EmailField):  # type: ignore[type-arg]
    """An e-mail address kept in lower case, so that Anna@x.org and anna@x.org are one person in every lookup."""

    default_validators = [*models.EmailField.default_validators, validate_printable]

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.strip().lower() if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value.strip().lower() if isinstance(value, str) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        # The row in memory must say what the row in the database says.
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value
