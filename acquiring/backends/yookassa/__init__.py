"""YooKassa (API v3) as an acquirer."""

from acquiring.backends.yookassa.protocol import YooKassa

__all__ = ["YooKassa"]
