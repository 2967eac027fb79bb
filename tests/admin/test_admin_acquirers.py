"""B8: staff see how the acquirers are, and switch one off and on with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import AcquirerHealth, Event
from tests.admin.desk import NEEDS_A_HUMAN, deed_of
from tests.things import now

pytestmark = pytest.mark.django_db


def the_bank() -> AcquirerHealth:
    return AcquirerHealth.objects.get()


def test_every_acquirer_in_use_is_listed_though_none_ever_failed(manager):
    assert manager.found(AcquirerHealth) == [the_bank().pk]
    assert "Well" in manager.open(the_bank()).text


def test_the_switch_stops_new_pages_and_its_reason_is_kept(manager):
    manager.found(AcquirerHealth)
    assert "No new page is opened" in manager.told(manager.press(the_bank(), "switch-off"))
    assert the_bank().status == "off"
    told = Event.objects.get(kind="acquirer.switched_off")
    assert (told.actor, told.reason) == (f"user:{manager.user.pk}", "ticket 1")
    assert "takes part again" in manager.told(manager.press(the_bank(), "switch-on"))
    assert the_bank().status == "closed"


def test_support_sees_it_and_cannot_switch(manager, support):
    manager.found(AcquirerHealth)
    assert deed_of(the_bank(), "switch-off") not in support.open(the_bank()).text
    assert support.press(the_bank(), "switch-off", {"expected": "1"}).status_code == 403
    assert the_bank().status == "closed"


def test_one_that_is_down_needs_a_human(manager):
    AcquirerHealth.objects.create(
        name="fake",
        status="open",
        failures=5,
        sentence="no answer",
        retry_at=now() + timedelta(hours=1),
        created_at=now(),
    )
    assert "no answer" in manager.open(NEEDS_A_HUMAN).text
