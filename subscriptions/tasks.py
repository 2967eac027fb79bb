"""Tasks wake the sweeps; each sweep finds its own work in PostgreSQL."""

from celery import shared_task
from django.utils import timezone

from subscriptions import endings, hours, reminders, renewals


@shared_task
def end_terms() -> None:
    for _ in range(50):
        if not endings.end_due(at=timezone.now()):
            return


@shared_task
def charge_hours() -> None:
    for _ in range(50):
        if not hours.charge_due(at=timezone.now()):
            return


@shared_task
def renew() -> None:
    for _ in range(50):
        if not renewals.renew_due(at=timezone.now()):
            return


@shared_task
def remind() -> None:
    for _ in range(50):
        if not reminders.remind_due(at=timezone.now()):
            return
