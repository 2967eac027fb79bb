"""Idempotency keys are kept for a while, not for ever: a request that is repeated later is a new one."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from billing.models import RequestKey

KEPT = timedelta(days=7)  # told in docs/api.md; a client gives up within hours


def prune(*, at: datetime, limit: int = 5_000) -> int:
    """Deletes up to `limit` keys that were first sent longer than `KEPT` before `at`. Returns how many.

    One whose request is in flight at `at` stays until it has its answer. What another sweep holds is passed over.
    """
    with transaction.atomic():
        old = RequestKey.objects.filter(created_at__lt=at - KEPT, leased_until__lte=at).order_by("created_at")
        rows = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        RequestKey.objects.filter(pk__in=rows).delete()
    return len(rows)
