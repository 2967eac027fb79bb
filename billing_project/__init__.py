"""Wiring: settings, urls, Celery. Nobody imports it (Celery's app loads with Django, so that tasks find it)."""

from billing_project.celery import app as celery_app

__all__ = ["celery_app"]
