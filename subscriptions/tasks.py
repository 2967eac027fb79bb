"""Tasks wake the sweeps; each sweep finds its own work in PostgreSQL."""

import logging

from celery import shared_task
from django.utils import timezone

from subscriptions import endings, hours, next_plans, price_moves, reminders, renewals

log = logging.getLogger(__name__)


@shared_task
def end_terms() -> None:
    for _ in range(50):
        if not endings.end_due(at=timezone.now()):
            return


@shared_task
def begin_plans() -> None:
    for _ in range(50):
        if not next_plans.begin_due(at=timezone.now()):
            return


@shared_task
def charge_hours() -> None:
    for _ in range(50):
        if not hours.charge_due(at=timezone.now()):
            return


@shared_task
def renew() -> None:
    try:
        move_prices()  # first, so that a term billed after the date of a move costs the new price
    except Exception:
        log.exception("prices cannot be moved")
    for _ in range(50):
        if not renewals.renew_due(at=timezone.now()):
            return


@shared_task
def remind() -> None:
    for _ in range(50):
        if not reminders.remind_due(at=timezone.now()):
            return


@shared_task
def move_prices() -> None:
    for _ in range(200):
        now = timezone.now()
        if not price_moves.tell_due(at=now) + price_moves.move_due(at=now):
            return
