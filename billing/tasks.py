"""Tasks wake the sweeps, by beat or by a commit; each sweep finds its own work in PostgreSQL."""

from collections.abc import Callable

from celery import shared_task
from django.utils import timezone

from billing import (
    callbacks,
    checkouts,
    events,
    payments,
    receipts,
    reconciliation,
    refunds,
    request_keys,
)


def _until_idle(sweep: Callable[..., int], rounds: int = 50) -> None:
    """Runs a sweep until nothing is due, but not for ever: the next tick goes on."""
    for _ in range(rounds):
        if not sweep(at=timezone.now()):
            return


@shared_task
def deliver_events() -> None:
    _until_idle(events.deliver_due)


@shared_task
def process_callbacks() -> None:
    _until_idle(callbacks.process_due)


@shared_task
def poll_payments() -> None:
    _until_idle(payments.poll_due)


@shared_task
def poll_refunds() -> None:
    _until_idle(refunds.poll_due)


@shared_task
def poll_receipts() -> None:
    _until_idle(receipts.poll_due)


@shared_task
def close_checkouts() -> None:
    _until_idle(checkouts.close_due)


@shared_task
def reconcile() -> None:
    reconciliation.run_lately(at=timezone.now())


@shared_task
def prune_request_keys() -> None:
    _until_idle(request_keys.prune, rounds=200)
