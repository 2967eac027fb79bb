"""DESIGN rule 10: a sweep that would move far more people's money than was forecast stops and asks a human."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from moneyed import Money

from billing import audit, guard, payments, refunds
from billing.errors import Conflict, NotFound
from billing.models import Event, Halt, Payment, Refund
from tests.billing.desk import AT, DAY, HOUR, MINUTE, bill, fresh, paid, saved_card, start, together
from tests.fake_acquirer import FakeAcquirer, Fault
from tests.things import viewer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small(settings: Any) -> None:
    settings.SWEEP_GUARD = {"factor": 3, "least": 2, "least_amounts": {"RUB": 1_000, "": 10}}


def rub(amount: float) -> Money:
    return Money(str(amount), "RUB")


def ask(people: int, *amounts: Money, forecast: guard.Forecast | None = None, at: Any = AT) -> None:
    expected = forecast or guard.Forecast(10, (rub(5_000),))
    guard.permit("renewals", people=people, amounts=amounts, forecast=expected, at=at)


def stopped(people: int, *amounts: Money, **more: Any) -> Halt:
    with pytest.raises(guard.Stopped):
        ask(people, *amounts, **more)
    return Halt.objects.get(status="stopped")


def let(halt: Halt, at: Any = AT) -> Halt:
    return guard.let_run(halt.pk, people=halt.people, actor="user:1", reason="the premiere", at=at)


@pytest.mark.parametrize(("people", "amounts"), [(30, [rub(15_000)]), (2, [rub(1_000)]), (0, []), (1, [rub(400)] * 30)])
def test_what_is_within_the_forecast_runs_and_leaves_no_trace(people: int, amounts: list[Money]) -> None:
    ask(people, *amounts)
    assert not Halt.objects.exists() and not Event.objects.exists()


@pytest.mark.parametrize(
    ("people", "amounts"), [(31, [rub(100)]), (1, [rub(15_000.01)]), (1, [rub(9_000)] * 2), (1, [Money(11, "USD")])]
)
def test_more_people_or_more_money_stops_it_and_tells_what(people: int, amounts: list[Money]) -> None:
    halt = stopped(people, *amounts)
    assert f"of {people} people are due at once" in halt.sentence and "of 10 people were expected" in halt.sentence
    event = Event.objects.get()
    assert (event.kind, event.to_state, event.reason) == ("halt.stopped", "stopped", halt.sentence)


def test_a_small_cinema_is_left_alone_whatever_was_forecast() -> None:
    ask(2, rub(1_000), forecast=guard.Forecast())
    stopped(3, forecast=guard.Forecast())


def test_every_tick_finds_the_same_halt_with_the_figures_of_now() -> None:
    first = stopped(40)
    again = stopped(50, rub(99_000))
    assert first.pk == again.pk and (again.people, again.sums) == (50, {"RUB": 9_900_000})
    assert Event.objects.count() == 1


def test_what_was_let_run_runs_up_to_the_figures_that_were_shown() -> None:
    halt = let(stopped(40, rub(20_000)))
    for people in (40, 35):
        ask(people, rub(20_000))
    assert fresh(halt).status == "let"
    assert stopped(41, rub(20_000)).pk == halt.pk
    event = Event.objects.get(kind="halt.let_run")
    assert (event.actor, event.reason, event.data["people"]) == ("user:1", "the premiere", 40)


def test_a_permission_is_for_one_run() -> None:
    halt = let(stopped(40))
    ask(40)
    ask(10)
    assert fresh(halt).status == "over"
    assert stopped(40).pk != halt.pk


def test_a_permission_lasts_for_a_day() -> None:
    halt = let(stopped(40))
    ask(40, at=AT + DAY - MINUTE)
    assert stopped(40, at=AT + DAY).pk == halt.pk


def test_another_figure_than_the_one_shown_is_not_let_run() -> None:
    halt = stopped(40)
    stopped(45)
    with pytest.raises(Conflict, match="45 people now") as refused:
        let(halt)
    assert refused.value.code == "stale_figures"


def test_what_is_kept_stopped_asks_again_only_when_it_has_grown() -> None:
    halt = stopped(40)
    guard.keep_stopped(halt.pk, actor="user:1", reason="a mistake", at=AT)
    with pytest.raises(guard.Stopped):
        ask(40)
    assert fresh(halt).status == "kept" and guard.standing("renewals")
    with pytest.raises(Conflict, match="does not wait"):
        guard.keep_stopped(halt.pk, actor="user:1", reason="again", at=AT)
    assert stopped(60).pk == halt.pk
    let(fresh(halt))
    with pytest.raises(Conflict, match="not stopped any more"):
        let(fresh(halt))


def test_a_mistake_that_is_mended_ends_the_halt_by_itself() -> None:
    halt = stopped(40)
    ask(5)
    assert fresh(halt).status == "over" and not guard.standing("renewals")


def test_a_halt_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(NotFound):
        guard.keep_stopped(viewer().pk, actor="user:1", reason="x", at=AT)


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_open_one_halt() -> None:
    answers = together(4, lambda n: ask(40))
    assert [type(answer) for answer in answers] == [guard.Stopped] * 4
    assert Halt.objects.count() == 1


# --- The sweeps that send money out, and those that take it


def promised(acquirer: FakeAcquirer, count: int, at: Any = AT) -> list[Refund]:
    """Refunds that no process has sent: each of another customer."""
    made = []
    for _ in range(count):
        refund = refunds.promise(paid(acquirer), amount=rub(299), reason="asked", actor="system", at=at)
        Refund.objects.filter(pk=refund.pk).update(next_check_at=at)
        made.append(refund)
    return made


def test_refunds_of_far_more_people_than_usual_wait_for_a_human_and_then_go(acquirer: FakeAcquirer) -> None:
    waiting = promised(acquirer, 3)
    assert refunds.poll_due(at=AT) == 0
    halt = Halt.objects.get()
    assert (halt.sweep, halt.people, halt.sums) == ("refunds", 3, {"RUB": 89_700})
    assert not acquirer.called("refund")
    assert {finding.check.name for finding in audit.run(at=AT + DAY).told} == {"halt.parked"}
    assert "refund.moves_on" not in {finding.check.name for finding in audit.run(at=AT + DAY).breaches}
    let(halt)
    assert refunds.poll_due(at=AT, limit=2) + refunds.poll_due(at=AT, limit=2) == 3
    assert {fresh(refund).status for refund in waiting} == {"succeeded"}
    refunds.poll_due(at=AT + MINUTE)
    assert fresh(halt).status == "over"


def test_a_halt_stops_nothing_that_is_at_the_acquirer_already(acquirer: FakeAcquirer) -> None:
    acquirer.program("refund", Fault.PENDING)
    pending = refunds.request(paid(acquirer).pk, amount=None, reason="asked", actor="user:1", at=AT)
    promised(acquirer, 4, AT + MINUTE)
    assert refunds.poll_due(at=AT + MINUTE) == 1
    assert fresh(pending).checks == 1 and Halt.objects.get().status == "stopped"


def test_catching_up_after_a_day_s_outage_is_what_the_forecast_says(acquirer: FakeAcquirer) -> None:
    """Two a day is usual; what two days have piled up is no reason to stop."""
    for day in (5, 4, 3):
        for refund in promised(acquirer, 2, AT - day * DAY):
            refunds.submit(refund.pk, at=AT - day * DAY)
    promised(acquirer, 4, AT - DAY - HOUR)
    promised(acquirer, 5)
    assert refunds.poll_due(at=AT) == 9
    assert not Halt.objects.exists()


def charged(acquirer: FakeAcquirer, count: int) -> list[Payment]:
    """Charges of saved cards whose first call got no answer."""
    made = []
    for _ in range(count):
        acquirer.program("charge", Fault.LOSE_REQUEST)
        invoice = bill()
        made.append(start(invoice, method_id=saved_card(invoice.user_id).pk))
    return made


def test_cards_of_far_more_people_than_usual_are_not_charged_again(acquirer: FakeAcquirer) -> None:
    waiting = charged(acquirer, 3)
    page = start()
    later = AT + timedelta(minutes=3)
    assert payments.poll_due(at=later) == 1
    assert len(acquirer.called("charge")) == 3 and fresh(page).checks == 1
    [late] = audit.run(at=AT + 2 * HOUR, only=frozenset({"payment.moves_on"})).breaches
    assert [row["payment"] for row in late.rows] == [page.pk]  # what is stopped is late on purpose
    let(Halt.objects.get(sweep="charges"), later)
    assert payments.poll_due(at=later) == 3
    assert {fresh(payment).status for payment in waiting} == {"succeeded"}
