"""B1: years of subscribers while everything fails; the books are right at the end, and a planted bug is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from billing import batches, refunds, settlement
from billing.models import Payment
from simulation import database, plans, points, running
from simulation.running import Result, Run, shortest, simulate

pytestmark = pytest.mark.django_db(transaction=True)

YEARS = 4


@pytest.fixture(scope="module", autouse=True)
def _no_database_is_left(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    yield
    with django_db_blocker.unblock():
        name = connection.settings_dict["NAME"]
        with psycopg.connect(**connection.get_connection_params() | {"dbname": "postgres"}, autocommit=True) as server:
            for number in (1, 2):
                server.execute(f'DROP DATABASE IF EXISTS "{name}{database.SUFFIX}_{number}"')


def lived(seed: int, years: int = YEARS, faults: float = 0.4, **more: Any) -> Result:
    with database.simulated():
        return simulate(Run(years, faults, seed, plans.read(plans.DEMO)), **more)


def told(*arguments: str) -> tuple[list[str], dict[str, Any]]:
    """The lines that the command prints, and the JSON of the last one."""
    out = StringIO()
    call_command("simulate", *arguments, stdout=out)
    lines = out.getvalue().splitlines()
    return lines, json.loads(lines[-1])


@pytest.mark.parametrize("seed", range(1, 11))
def test_B1_M3_M4_nothing_is_charged_twice_and_nothing_is_lost_while_everything_fails(seed: int) -> None:
    result = lived(seed)
    assert result.breaches == []
    assert (result.double_charges, result.lost_operations, result.strange) == (0, 0, set())
    assert result.operations > 0 and result.faults.total() > 0 and result.died


def test_B1_the_same_seed_is_the_same_run_byte_for_byte() -> None:
    logs: list[list[str]] = [[], []]
    for log in logs:
        lived(5, tell=log.append)
    assert logs[0] == logs[1]
    assert len(logs[0]) > 50


def test_B1_without_faults_nothing_goes_wrong_and_nobody_dies() -> None:
    result = lived(1, faults=0)
    assert (result.breaches, result.faults.total(), result.died) == ([], 0, set())
    assert result.operations > 10


def test_B1_where_a_town_s_people_come_together_callbacks_are_settled_together() -> None:
    sizes: list[int] = []
    settled = batches._settled

    def counted(callback_ids: Sequence[int], at: datetime) -> set[int]:
        done = settled(callback_ids, at)
        sizes.append(len(done))
        return done

    with patch.object(batches, "_settled", counted):
        assert lived(13, years=30, faults=0).breaches == []  # of this seed the town is crowded, its worker unhurried
    assert max(sizes) >= batches.FEW


@contextmanager
def looks_only_once() -> Iterator[None]:
    """A settlement that does not look again: the money of a second callback is booked too."""
    with patch.object(settlement, "_taken_again", lambda payment, outcome: ""), forgetting("captured"):
        yield


@contextmanager
def forgetting(field: str) -> Iterator[None]:
    original = settlement._settle

    def settle(payment: Payment, *args: Any, **more: Any) -> None:
        original(payment, *args, **more)
        Payment.objects.filter(pk=payment.pk).update(**{field: 0})

    with patch.object(settlement, "_settle", settle):
        yield


@contextmanager
def a_new_key_on_every_try() -> Iterator[None]:
    """A refund whose key is not its own id: a time-out becomes a second refund."""
    original = refunds.RefundOrder

    def order(our_id: str, **more: Any) -> Any:
        return original(our_id=str(uuid4()), **more)

    with patch.object(refunds, "RefundOrder", order):
        yield


@contextmanager
def surplus_is_kept() -> Iterator[None]:
    """Money that nobody owed is booked and not given back."""
    with patch.object(settlement, "_give_back", lambda payment, *, at: None):
        yield


BUGS: list[Callable[[], Any]] = [looks_only_once, a_new_key_on_every_try, surplus_is_kept]


@pytest.mark.parametrize("bug", BUGS)
def test_B1_a_planted_bug_is_found_and_a_shorter_run_that_shows_it(
    bug: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TRIES", 4)  # the whole search is for people
    with bug(), database.simulated():
        towns = (simulate(Run(12, 0.6, seed, plans.read(plans.DEMO))) for seed in range(20, 40))
        result = next(town for town in towns if town.breaches)
        short = shortest(result, deadline=float("inf"))
    assert short.breaches
    assert len(short.run.subscribers) <= len(result.run.subscribers)


def test_B1_the_command_prints_its_figures_and_the_number_of_processes_changes_nothing() -> None:
    lines, figures = told("--years", "3", "--faults", "0.3", "--seed", "2", "--jobs", "2", "--points")
    assert list(figures) == [
        "years", "operations", "faults_injected", "crash_points_reached", "crash_points_total", "double_charges",
        "lost_operations", "breaches", "seconds",
    ]  # fmt: skip
    assert (figures["years"], figures["breaches"], figures["crash_points_total"]) == (3, 0, len(points.points()))
    again = told("--years", "3", "--faults", "0.3", "--seed", "2", "--jobs", "1")[0]
    assert again[0] == lines[0]
    assert any("not reached" in line for line in lines)


def test_B1_the_plans_may_be_the_product_s_own() -> None:
    with pytest.raises(CommandError, match="No plan with a price") as refused:
        told("--years", "1", "--plans", "real")
    assert refused.value.returncode == 2
    with override_settings(DEBUG=True):
        call_command("demo", stdout=StringIO())
    assert told("--years", "2", "--faults", "0", "--plans", "real")[1]["breaches"] == 0


def test_B1_a_simulation_s_database_that_is_spoilt_is_a_sentence_and_2() -> None:
    told("--years", "1", "--faults", "0")
    with database.simulated(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE billing_case")
    with pytest.raises(CommandError, match=r"cannot be prepared: .*billing_case.* Drop it") as refused:
        told("--years", "1")
    assert refused.value.returncode == 2
    with psycopg.connect(**connection.get_connection_params() | {"dbname": "postgres"}, autocommit=True) as server:
        server.execute(f'DROP DATABASE "{connection.settings_dict["NAME"]}{database.SUFFIX}_1"')


def test_B1_a_database_that_no_simulation_made_is_left_alone() -> None:
    name = f"{connection.settings_dict['NAME']}{database.SUFFIX}_1"
    with psycopg.connect(**connection.get_connection_params() | {"dbname": "postgres"}, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')
        with pytest.raises(CommandError, match="no simulation has made"):
            told("--years", "1")
        server.execute(f'DROP DATABASE "{name}"')


@pytest.mark.parametrize(
    "arguments",
    [("--years", "0"), ("--years", "x"), ("--years", "1", "--faults", "1.5"), ("--years", "1", "--faults", "nan"),
     ("--years", "1", "--seed", "1.5"), ("--years", "1", "--plans", "mine"), ("--years", "1", "--only", "0"), ()],
)  # fmt: skip
def test_bad_arguments_are_refused_in_words(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"Error: (argument|the following)"):
        told(*arguments)


def test_every_crash_point_is_found_in_the_source() -> None:
    """A commit, a write and a call that everybody knows are among them; both sides of each are points."""
    found = {(site.kind, site.file, site.function) for site in points.sites()}
    assert found >= {
        ("commit", "billing/payments.py", "_attempt"),
        ("call", "billing/payments.py", "submit"),
        ("call", "billing/refunds.py", "submit"),
        ("commit", "billing/settlement.py", "apply"),
        ("call", "notifications/mailings.py", "_hand_over"),
    }
    assert len(points.points()) == 2 * len(points.sites())
