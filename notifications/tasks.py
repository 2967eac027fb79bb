from celery import shared_task
from django.utils import timezone

from notifications import mailings


@shared_task
def send_messages() -> None:
    for _ in range(50):
        if not mailings.send_due(at=timezone.now()):
            return
