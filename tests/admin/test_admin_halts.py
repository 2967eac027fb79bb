"""DESIGN rule 10: staff see which sweep stopped, what it would have moved, and decide with a reason."""

from __future__ import annotations

import pytest
from moneyed import Money

from billing import guard
from billing.models import Event, Halt
from tests.admin.desk import NEEDS_A_HUMAN, deed_of
from tests.things import now

pytestmark = pytest.mark.django_db


def stop(people: int = 400) -> Halt:
    with pytest.raises(guard.Stopped):
        guard.permit(
            "renewals",
            people=people,
            amounts=[Money(299 * people, "RUB")],
            forecast=guard.Forecast(100, (Money(29_900, "RUB"),)),
            at=now(),
        )
    return Halt.objects.get()


def test_a_halt_is_on_the_list_with_its_sentence_and_its_buttons(manager, support):
    halt = stop()
    text = manager.open(NEEDS_A_HUMAN).text

    assert halt.sentence in text and "of 400 people are due at once" in text
    assert deed_of(halt, "let-run") in text and deed_of(halt, "keep-stopped") in text
    assert halt.sentence in support.open(NEEDS_A_HUMAN).text
    assert deed_of(halt, "let-run") not in support.open(NEEDS_A_HUMAN).text
    assert support.press(halt, "let-run", {"expected_people": "400"}).status_code == 403
    assert manager.found(Halt, q="renewals") == [halt.pk] and manager.open(halt).status_code == 200


def test_the_button_lets_it_run_and_the_reason_is_kept(manager):
    halt = stop()
    assert "goes on with its next tick" in manager.told(manager.press(halt, "let-run"))
    halt = Halt.objects.get()

    assert (halt.status, halt.reason, halt.decided_by) == ("let", "ticket 1", manager.user)
    assert Event.objects.get(kind="halt.let_run").actor == f"user:{manager.user.pk}"
    assert halt.sentence not in manager.open(NEEDS_A_HUMAN).text


def test_figures_that_grew_since_they_were_shown_are_shown_anew(manager):
    halt = stop()
    shown = manager.ask(halt, "let-run")
    stop(500)
    answer = manager.press(halt, "let-run", shown)

    assert "500 people now" in manager.told(answer) and answer.context["form"]["expected_people"].value() == 500
    assert Halt.objects.get().status == "stopped"


def test_what_is_kept_stopped_leaves_the_list_and_can_still_be_let_run(manager):
    halt = stop()
    assert "stays stopped" in manager.told(manager.press(halt, "keep-stopped"))
    assert halt.sentence not in manager.open(NEEDS_A_HUMAN).text
    assert deed_of(halt, "keep-stopped") not in manager.open(halt).text
    manager.press(halt, "let-run")

    assert Halt.objects.get().status == "let"
