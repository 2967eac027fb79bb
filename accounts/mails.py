"""Mails about an account: plain text from templates, sent only after the fact they tell is committed."""

import logging
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

log = logging.getLogger(__name__)


def send_after_commit(template: str, email: str, **context: Any) -> None:
    """Mail `accounts/mail/<template>.txt` (subject: `<template>_subject.txt`) to `email` once this commit is through.

    A mail server that fails is logged and no more: the person can ask for the mail again.
    """
    context["public_url"] = settings.PUBLIC_URL
    subject = " ".join(render_to_string(f"accounts/mail/{template}_subject.txt", context).split())
    body = render_to_string(f"accounts/mail/{template}.txt", context)

    def deliver() -> None:
        try:
            send_mail(subject, body, None, [email])
        except Exception:  # any backend raises its own kinds; none may undo a registration
            log.exception("The mail %r could not be sent", template)

    transaction.on_commit(deliver)
