"""Mails about money: written once per event, sent once.

A mail server's refusal is tried again with back-off. When the process dies or the line breaks while a mail is being
handed over nobody knows whether it went out: it is not sent again by itself but parked for a human, because two
receipts for one payment frighten people more than none.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from smtplib import SMTPNotSupportedError, SMTPRecipientsRefused, SMTPResponseException
from socket import gaierror

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string

from billing import sweeps, wake
from billing.events import Event
from notifications.models import Message

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
BACK_OFF = tuple(timedelta(seconds=s) for s in (30, 120, 600, 3600, 6 * 3600))
PARK_AFTER = 8  # attempts
TASK = "notifications.tasks.send_messages"

# The server said no, or was not there: the mail certainly did not go out.
REFUSALS = (SMTPResponseException, SMTPRecipientsRefused, SMTPNotSupportedError, ConnectionRefusedError, gaierror)


def write(event: Event) -> Message | None:
    """Writes the mail about an event to its customer; the second time finds the first. None without a customer."""
    if event.user is None:
        return None
    earlier = Message.objects.filter(event=event).first()  # whatever its address: no second mail to a new one
    if earlier is not None:
        return earlier
    message = _about(event)
    message.save(force_insert=True)
    wake.after_commit(TASK)
    return message


def write_many(events: Sequence[Event]) -> None:
    """`write` for many events, in two statements."""
    known = set(Message.objects.filter(event__in=events).values_list("event_id", flat=True))
    if Message.objects.bulk_create(_about(event) for event in events if event.user and event.pk not in known):
        wake.after_commit(TASK)


def send_due(*, at: datetime, limit: int = 20) -> int:
    """Sends the mails that are due at `at`. Returns how many were taken up.

    `limit` times the mail server's time-out stays below the lease: what is in hand is not taken for lost.
    """
    rows = sweeps.claim(
        Message.objects.filter(status__in=[Message.Status.DUE, Message.Status.SENDING]),
        "next_attempt_at",
        at=at,
        lease=LEASE,
        limit=limit,
        counter="attempts",
    )
    told = Message.objects.filter(pk__in=rows).order_by("event", "pk")  # as it happened
    sweeps.each(list(told.values_list("pk", flat=True)), lambda pk: send(pk, at=at))
    return len(rows)


def send(message_id: uuid.UUID, *, at: datetime) -> Message:
    """Sends one mail that is due, and writes down what became of it."""
    with transaction.atomic(durable=True):
        message = Message.objects.select_for_update().get(pk=message_id)
        if message.status == Message.Status.SENDING:
            message.status = Message.Status.PARKED
            message.error = "The process died while this mail was being handed over; it may have been sent."
        elif message.status == Message.Status.DUE:
            message.status = Message.Status.SENDING
        else:
            return message
        message.save(update_fields=["status", "error"])
    if message.status == Message.Status.SENDING:
        _hand_over(message, at)
    return message


def retry(message_id: uuid.UUID, *, at: datetime) -> Message:
    """Sends a parked mail again; any other stays as it is, so a second click sends nothing."""
    taken = Message.objects.filter(pk=message_id, status=Message.Status.PARKED).update(
        status=Message.Status.DUE, attempts=1, next_attempt_at=at + LEASE
    )
    return send(message_id, at=at) if taken else Message.objects.get(pk=message_id)


def dismiss(message_id: uuid.UUID, *, by: str, reason: str) -> Message:
    """A parked mail was dealt with by hand and is never sent; any other stays as it is."""
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=message_id)
        if message.status == Message.Status.PARKED:
            message.status = Message.Status.DISMISSED
            message.error = f"Dealt with by {by}: {reason}. It was parked because: {message.error}"
            message.save(update_fields=["status", "error"])
    return message


def _about(event: Event) -> Message:
    """The mail about an event with a customer, not saved yet."""
    assert event.user is not None
    name = " ".join(event.user.name.split())  # a name is one line, whatever was stored
    context = {"event": event, "name": name, "site": settings.PUBLIC_URL, **event.data}
    text = render_to_string(f"notifications/{event.kind}.txt", context).strip()
    subject, _, body = text.partition("\n")
    return Message(
        event=event,
        recipient=event.user.email,
        subject=subject.removeprefix("Subject: ")[:200],
        body=body.strip() + "\n",
        next_attempt_at=event.at,
        created_at=event.at,
    )


def _hand_over(message: Message, at: datetime) -> None:
    mail = EmailMessage(
        message.subject,
        message.body,
        to=[message.recipient],
        headers={"Message-ID": f"<{message.pk}@boxoffice>"},  # the same on every try: mail programs show it once
    )
    mail.connection = connection = get_connection()
    handing = False
    try:
        mail.message()  # one that cannot be written never reaches the server
        connection.open()
        handing = True
        mail.send()
    except Exception as error:
        _failed(message, error, at, unknown=handing and not isinstance(error, REFUSALS))
    else:
        message.status, message.sent_at, message.error = Message.Status.SENT, at, ""
    message.save(update_fields=["status", "sent_at", "error", "next_attempt_at"])
    with suppress(Exception):  # what the server says to a good-bye changes nothing
        connection.close()


def _failed(message: Message, error: Exception, at: datetime, *, unknown: bool) -> None:
    message.error = f"{type(error).__name__}: {error}"[:2000]
    if unknown:
        message.error += " The line broke while this mail was being handed over; it may have been sent."
    if unknown or message.attempts >= PARK_AFTER:
        message.status = Message.Status.PARKED
        log.error("mail %s parked: %s", message.pk, message.error)
    else:
        message.status = Message.Status.DUE
        message.next_attempt_at = at + sweeps.back_off(message.attempts - 1, *BACK_OFF)
