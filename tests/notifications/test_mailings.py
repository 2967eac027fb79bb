"""Mails about money: one per event, sent once, and parked where nobody can know."""

from __future__ import annotations

import smtplib
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from accounts.models import User
from billing import events
from billing.models import Delivery, Event
from notifications import mailings
from notifications.models import Message
from tests.things import viewer

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
TOLD = {
    "spoken": "299.00\u00a0₽", "description": "Month, 1 month", "invoice_number": "17", "card": "Visa •••• 4242",
    "reason": "Subscription cancelled", "explanation": "11 of 12 months have not begun.",
    "decline_message": "No money.",
}  # fmt: skip


class Server(EmailBackend):
    """A mail server that does what a test says before it takes, or instead of taking, the next mails."""

    opening: Callable[[], None] | None = None
    steps: list[Callable[[], None]] = []
    after: list[Callable[[], None]] = []

    def open(self) -> None:
        if Server.opening:
            Server.opening()

    def send_messages(self, messages: Any) -> int:
        if Server.steps:
            Server.steps.pop(0)()
        sent = super().send_messages(messages)
        if Server.after:
            Server.after.pop(0)()
        return sent


@pytest.fixture(autouse=True)
def server(settings: Any) -> type[Server]:
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    Server.opening, Server.steps, Server.after = None, [], []
    return Server


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def event(kind: str = "payment.succeeded", user: User | None = None, **told: str) -> Event:
    return Event.objects.create(
        kind=kind, subject_type="payment", subject_id=viewer().pk, actor="system", at=NOW, data=TOLD | told,
        user=user or viewer("anna@example.com", name="Anna"),
    )  # fmt: skip


def written(**more: Any) -> Message:
    message = mailings.write(event(**more))
    assert message
    return message


def sweep(moment: datetime = NOW) -> int:
    return mailings.send_due(at=moment)


# --- Writing ---


@pytest.mark.parametrize(
    ("kind", "subject", "says"),
    [
        ("payment.succeeded", "Payment received: 299.00\u00a0₽", "by Visa •••• 4242"),
        ("payment.failed", "Payment of 299.00\u00a0₽ did not go through", "nothing was charged"),
        ("refund.succeeded", "Refund made: 299.00\u00a0₽", "11 of 12 months have not begun."),
    ],
)
def test_M15_each_news_of_money_is_one_mail(kind: str, subject: str, says: str) -> None:
    written(kind=kind)
    assert sweep() == 1
    (sent,) = mail.outbox
    assert (sent.subject, sent.to) == (subject, ["anna@example.com"])
    assert sent.body.startswith("Hello Anna,\n")
    assert says in sent.body
    assert "{" not in sent.body and "None" not in sent.body


def test_M15_an_event_delivered_twice_is_one_mail() -> None:
    user = viewer("anna@example.com")
    events.emit("payment.succeeded", type("Row", (), {"noun": "payment", "pk": user.pk, "customer_id": user.pk})(),
                actor="system", at=NOW, data=TOLD)  # fmt: skip
    for _ in range(2):
        Delivery.objects.update(status="due", next_attempt_at=NOW)
        assert events.deliver_due(at=NOW) == 1
        sweep()
    assert len(mail.outbox) == Message.objects.count() == 1


def test_M15_a_new_address_between_two_deliveries_makes_no_second_mail() -> None:
    news = event()
    first = mailings.write(news)
    User.objects.filter(pk=news.user_id).update(email="new@example.com")
    assert mailings.write(Event.objects.get(pk=news.pk)) == first
    assert Message.objects.count() == 1


def test_M15_an_event_of_nobody_is_no_mail() -> None:
    assert mailings.write(Event(kind="payment.succeeded", user=None, data=TOLD, at=NOW)) is None


def test_M15_a_name_makes_no_header_and_no_line_of_its_own() -> None:
    name = "Anna\r\nBcc: all@example.com\n\nYou won: http://evil.example <b>&amp;</b>"
    message = written(user=viewer("anna@example.com", name=name))
    sweep()
    (sent,) = mail.outbox
    assert (sent.to, sent.bcc, sent.subject) == (["anna@example.com"], [], "Payment received: 299.00\u00a0₽")
    assert "Bcc" not in str(sent.message()).split("\n\n")[0]
    assert message.body.splitlines()[0].startswith("Hello Anna Bcc: all@example.com You won: ")
    assert sent.content_subtype == "plain"  # a tag is a few harmless characters


def test_M15_a_name_is_no_template() -> None:
    assert "{{ site }}{% now 'Y' %}" in written(user=viewer(name="{{ site }}{% now 'Y' %}")).body


def test_M15_a_subject_has_a_length() -> None:
    message = written(spoken="9" * 500)
    message.refresh_from_db()
    assert len(message.subject) == 200


# --- Sending ---


def test_M15_a_mail_that_was_sent_is_not_sent_again() -> None:
    message = written()
    assert sweep() == 1
    assert sweep(NOW + timedelta(days=1)) == 0
    mailings.send(message.pk, at=NOW)
    assert mailings.retry(message.pk, at=NOW).status == "sent"
    assert len(mail.outbox) == 1


REFUSALS = [
    smtplib.SMTPDataError(451, b"later"), smtplib.SMTPRecipientsRefused({}), ConnectionRefusedError(),
    smtplib.SMTPSenderRefused(550, b"no", "x"),
]  # fmt: skip


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_M15_a_refusal_is_tried_again_with_growing_waits(server: type[Server], error: Exception) -> None:
    message = written()
    server.steps = [raising(error), raising(error)]
    sweep()
    message.refresh_from_db()
    assert (message.status, message.next_attempt_at) == ("due", NOW + timedelta(seconds=30))
    assert type(error).__name__ in message.error
    assert sweep(NOW + timedelta(seconds=29)) == 0
    sweep(NOW + timedelta(seconds=30))
    message.refresh_from_db()
    assert message.next_attempt_at == NOW + timedelta(seconds=150)
    sweep(NOW + timedelta(seconds=150))
    message.refresh_from_db()
    assert (message.status, message.error, len(mail.outbox)) == ("sent", "", 1)


@pytest.mark.parametrize("error", [TimeoutError(), OSError(113, "no route"), smtplib.SMTPConnectError(421, b"busy")])
def test_M15_a_server_that_cannot_be_reached_is_tried_again(server: type[Server], error: Exception) -> None:
    written()
    server.opening = raising(error)
    sweep()
    assert Message.objects.get().status == "due"
    server.opening = None
    sweep(NOW + timedelta(minutes=1))
    assert len(mail.outbox) == 1


def test_M15_a_server_that_refuses_for_days_leaves_the_mail_to_a_human(server: type[Server]) -> None:
    message = written()
    server.opening = raising(ConnectionRefusedError())
    for hour in range(100):
        sweep(NOW + timedelta(hours=hour))
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("parked", mailings.PARK_AFTER)
    server.opening = None
    assert mailings.retry(message.pk, at=NOW + timedelta(days=9)).status == "sent"
    assert len(mail.outbox) == 1


def test_M15_one_bad_address_does_not_hold_up_the_others(server: type[Server]) -> None:
    written()
    written(user=viewer("boris@example.com"))
    server.steps = [raising(smtplib.SMTPRecipientsRefused({}))]
    assert sweep() == 2
    assert len(mail.outbox) == 1
    assert sorted(Message.objects.values_list("status", flat=True)) == ["due", "sent"]


def test_M15_a_mail_that_cannot_be_written_is_never_called_sent() -> None:
    message = written()
    Message.objects.filter(pk=message.pk).update(subject="Hello\nBcc: all@example.com")
    sweep()
    message.refresh_from_db()
    assert message.status == "due"
    assert "BadHeaderError" in message.error
    assert mail.outbox == []


# --- Not knowing ---


def test_M15_a_process_that_dies_after_the_hand_over_sends_nothing_twice(server: type[Server]) -> None:
    message = written()
    server.after = [sys.exit]
    with pytest.raises(SystemExit):
        sweep()
    assert sweep(NOW + mailings.LEASE - timedelta(seconds=1)) == 0
    sweep(NOW + mailings.LEASE)
    message.refresh_from_db()
    assert message.status == "parked"
    assert "may have been sent" in message.error
    for day in range(1, 9):
        sweep(NOW + timedelta(days=day))
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("error", [TimeoutError(), smtplib.SMTPServerDisconnected(), ConnectionResetError()])
def test_M15_a_line_that_breaks_after_the_hand_over_sends_nothing_twice(server: type[Server], error: Exception) -> None:
    message = written()
    server.after = [raising(error)]
    for day in range(9):
        sweep(NOW + timedelta(days=day))
    message.refresh_from_db()
    assert (message.status, len(mail.outbox)) == ("parked", 1)
    assert "may have been sent" in message.error


def test_M15_a_mail_in_somebody_s_hand_is_not_taken_for_lost(server: type[Server]) -> None:
    """Staff sends a parked mail again; the sweep and a second click come while the server still reads it."""
    message = written()
    Message.objects.filter(pk=message.pk).update(status="parked")
    seen: list[tuple[int, str, str]] = []

    def meanwhile() -> None:
        found = sweep(NOW)
        clicked = mailings.retry(message.pk, at=NOW)
        seen.append((found, clicked.status, Message.objects.get().status))

    server.steps = [meanwhile]
    assert mailings.retry(message.pk, at=NOW).status == "sent"
    assert seen == [(0, "sending", "sending")]
    assert len(mail.outbox) == 1
