"""A member of staff at the admin: opens pages, presses buttons, reads what comes back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import User

NEEDS_A_HUMAN = "/admin/billing/payment/needs-a-human/"


def page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def deed_of(row: Model, slug: str) -> str:
    return page_of(row).removesuffix("change/") + f"{slug}/"


@dataclass
class Desk:
    client: Client
    user: User

    def __post_init__(self) -> None:
        self.client.force_login(self.user)

    def open(self, where: str | Model, **query: Any) -> Any:
        return self.client.get(where if isinstance(where, str) else page_of(where), query)

    def found(self, model: type[Model], **query: Any) -> list[Any]:
        """The ids that a list shows."""
        answer = self.open(list_of(model), **query)
        assert answer.status_code == 200, answer
        return [row.pk for row in answer.context["cl"].result_list]

    def ask(self, row: Model, slug: str) -> dict[str, str]:
        """Opens the page of a deed and returns what its form would send, but for the reason."""
        answer = self.open(deed_of(row, slug))
        assert answer.status_code == 200, answer
        form = answer.context["form"]
        return {name: str(form[name].value() or "") for name in form.fields if name != "reason"}

    def press(self, row: Model, slug: str, fields: dict[str, str] | None = None, **more: str) -> Any:
        """Sends the form of a deed with a reason."""
        body = {"reason": "ticket 1"} | (self.ask(row, slug) if fields is None else fields) | more
        return self.client.post(deed_of(row, slug), body)

    def told(self, answer: Any) -> str:
        """The messages, and the errors on the page, after a deed."""
        said = [str(message) for message in get_messages(answer.wsgi_request)]
        note = re.search(r'class="errornote">(.*?)</p>', answer.text, re.S) if answer.status_code == 200 else None
        lists = re.findall(r'class="errorlist.*?</ul>', answer.text, re.S) if answer.status_code == 200 else []
        return " | ".join([*said, note[1] if note else "", *lists])
