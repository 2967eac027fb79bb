"""A customer whose every event is looked at: what happened since the last look, each with its sum."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.core import mail

from billing import money, payments
from billing.models import Event, Invoice, Payment, PaymentMethod, Refund
from subscriptions import lifecycle, terms
from subscriptions.explain import explain
from subscriptions.models import Subscription
from tests.local_bank import LocalBank
from tests.scenarios.story import Story
from tests.things import now, run_until_idle

MOSCOW = ZoneInfo("Europe/Moscow")
YEAR = now().year + 1  # ahead of the bank's own clock, which closes the pages whose time is over
WEEK = timedelta(weeks=1)
PAGE = "http://shop.example/payments/{payment}/"


def day(text: str) -> datetime:
    """`MM-DDTHH:MM` of the story's first year by the clocks of Moscow; `+MM-DDTHH:MM` of the year after."""
    return datetime.fromisoformat(f"{YEAR + text.startswith('+')}-{text.lstrip('+')}").replace(tzinfo=MOSCOW)


def spoken(text: str) -> str:
    """As the pages write it."""
    at = day(text)
    return f"{at.day} {at:%B %Y, %H:%M} MSK"


class Year(Story):
    """The story of one customer. Its scheduler runs each week, when something is due, and when the story says so."""

    def __init__(self, bank: LocalBank) -> None:
        super().__init__(bank)
        self._seen = self._read = 0

    def to(self, text: str) -> list[str]:
        """Lets the days go by up to a moment, and says what happened on the way."""
        end = day(text)
        assert self.at <= end
        while self.at < end:
            self.at = min(self._due() or end, self.at + WEEK, end)
            run_until_idle(self.at)
        return self.news()

    def _due(self) -> datetime | None:
        """When the sweeps want to look at the subscription next."""
        rows = Subscription.objects.filter(user=self.user).values_list(*terms.AHEAD)
        return min((at for row in rows for at in row if at and at > self.at), default=None)

    def pays(self, card: str) -> list[str]:
        """The customer types a card on the bank's page, comes back and is told."""
        waiting = self.last()
        self.bank.pay(waiting.redirect_url, card)
        payments.check(waiting.pk, at=self.at)
        run_until_idle(self.at)
        return self.news()

    def order(self, plan: str, **more: object) -> lifecycle.Order:
        return lifecycle.Order(plan=plan, return_url=PAGE, **more)

    def does(self, verb: Callable[..., object], *args: object, **more: object) -> list[str]:
        """The customer does something, the sweeps run at once; what happened."""
        verb(*args, actor=f"user:{self.user.pk}", at=self.at, **more)
        run_until_idle(self.at)
        return self.news()

    def news(self) -> list[str]:
        """The events since the last look, each with its sum."""
        rows = list(Event.objects.filter(pk__gt=self._seen).order_by("pk"))
        self._seen = rows[-1].pk if rows else self._seen
        assert {row.user_id for row in rows} <= {self.user.pk}
        return [f"{row.kind}{_sum(row)}" for row in rows]

    def mails(self) -> list[str]:
        """The subjects of the mails since the last look."""
        new, self._read = mail.outbox[self._read :], len(mail.outbox)
        return [message.subject.replace("\u00a0", " ") for message in new]

    def told(self, thing: object) -> str:
        """How it is explained, in one text."""
        return " ".join(explain(thing, at=self.at)).replace("\u00a0", " ")

    def why(self) -> str:
        """How the access is explained now."""
        return self.told(self.user)

    def card(self, end: str) -> PaymentMethod:
        return PaymentMethod.objects.get(user=self.user, mask__endswith=end)

    def last(self) -> Payment:
        """The newest payment."""
        return Payment.objects.filter(user=self.user).latest("created_at")


def _sum(row: Event) -> str:
    """The sum that an event is about, read from what it happened to."""
    kind, pk = row.subject_type, row.subject_id
    if kind == "invoice":
        return f" {money.plain(Invoice.objects.get(pk=pk).money)}"
    if kind in ("payment", "refund"):
        model = Payment if kind == "payment" else Refund
        return f" {money.plain(model.objects.get(pk=pk).money)}"
    for name in ("total", "refund", "credit"):
        if name in row.data:
            return f" {name} {row.data[name]}"
    return ""
