"""The simulated mail server: now and then not there, refusing, or breaking off. It remembers what it took."""

from __future__ import annotations

from collections.abc import Sequence
from smtplib import SMTPResponseException, SMTPServerDisconnected
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

if TYPE_CHECKING:
    from simulation.world import World


class Post(BaseEmailBackend):
    """Django's way to the mail server of the world in `settings.SIMULATION`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._world: World = settings.SIMULATION  # type: ignore[misc]  # of a run only: no settings file has it

    def open(self) -> bool:
        return self._world.crashes.call(self._connect)

    def _connect(self) -> bool:
        if self._world.trouble(0.2):
            self._world.diary.fault("mail_refused")
            raise ConnectionRefusedError("no mail server")
        return True

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        return self._world.crashes.call(self._take, email_messages)

    def _take(self, mails: Sequence[EmailMessage]) -> int:
        if self._world.trouble(0.1):
            self._world.diary.fault("mail_busy")
            raise SMTPResponseException(451, "busy")
        for mail in mails:
            self._world.watch.mails[mail.extra_headers["Message-ID"]] += 1
        if self._world.trouble(0.05):
            self._world.diary.fault("mail_hung_up")
            raise SMTPServerDisconnected("gone after the last dot")
        return len(mails)

    def close(self) -> None:
        """Good-bye."""
