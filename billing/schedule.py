"""The schedule's defaults, for migrations. Afterwards it is edited in the admin (django-celery-beat)."""

from __future__ import annotations

from typing import Any


def tick(apps: Any, task: str, seconds: int) -> None:
    """Has beat run `task` every `seconds`. A tick that no worker takes in time is dropped: the next one comes."""
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=seconds, period="seconds"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=task,
        defaults={"task": task, "interval": interval, "expire_seconds": max(seconds, 10)},
    )


def untick(apps: Any, task: str) -> None:
    """Takes `task` off the schedule."""
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=task).delete()
