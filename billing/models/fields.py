"""Columns that several tables share."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.signals import setting_changed
from django.db import models


@cache
def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.TOKEN_KEYS])


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "TOKEN_KEYS":
        _cipher.cache_clear()


setting_changed.connect(_forget)


def digest(secret: str) -> str:
    """A fingerprint by which an encrypted value can be found again and compared."""
    return hashlib.sha256(secret.encode()).hexdigest()


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # Django's fields take no arguments at run time
    """Text that PostgreSQL, its backups and its logs see only encrypted. Keys: `settings.TOKEN_KEYS`, newest first."""

    def get_prep_value(self, value: Any) -> Any:
        return _cipher().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return _cipher().decrypt(value.encode()).decode() if value else value
