"""The bank as YooKassa speaks (API v3), at /yookassa/v3."""
