"""The hot paths, what each is held against, and the goals. `python -m benchmarks.paths NAME` measures one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import boot

TRIPS = 50  # of each side in a round
ROUNDS = 5
PAYMENTS = 20_000  # in the database that is audited
CHARGES = 1_920  # thirty times those in flight: begin and end are no more of it than on a night of renewals
DUE = 2_000  # rows of a sweep in a round
EXISTING, LARGE = 100_000, 1_000_000  # rows among which a sweep finds those that are due
FEW, MANY = 1_000, 10_000  # rows that a worker passes over


@dataclass(frozen=True, slots=True)
class Goal:
    """The ratio that is wanted: at least, or for what should stay small at most."""

    against: str
    ratio: float
    at_most: bool = False


GOALS: dict[str, Goal | None] = {
    "received": None,
    "settled": Goal("view, nine statements", 0.5),
    "checkout": None,
    "refund": None,
    "access": Goal("DRF view, one ORM query", 0.9),
    "audit": Goal("bare join", 0.25),
    "renewals": Goal("one statement", 0.25),
    "endings": Goal("one statement", 0.5),
    "hours": Goal("one statement", 0.5),
    "charges": Goal("Little's law", 0.95),
    "scale": Goal("due rows alone", 1.3, at_most=True),
    "memory": Goal("few rows", 1.1, at_most=True),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of the table. `rates` are units per second, `asked` statements and commits per trip: ours, theirs."""

    path: str
    against: str
    ratio: float
    least: float
    most: float
    rates: tuple[float, float] = (0, 0)
    asked: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    goal: float | None = None
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Whether there is no goal, or it is reached."""
        if self.goal is None:
            return True
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    rounds: int = ROUNDS
    trips: int = TRIPS
    payments: int = PAYMENTS
    rows: int = MANY
    due: int = DUE
    charges: int = CHARGES
    existing: int = EXISTING


def measure(path: str, scale: Scale) -> dict[str, Any]:
    """Measures one path in this process, Django being set up."""
    from benchmarks.measure import peak_mib

    measures: dict[str, Callable[[Scale], Sequence[Comparison]]] = {
        "memory": _memory,
        "scale": _scale,
        "charges": _charges,
    }
    comparisons = measures[path](scale) if path in measures else _sides(path, scale)
    return {"comparisons": [asdict(each) for each in comparisons], "peak_mib": peak_mib()}


def _sides(path: str, scale: Scale) -> Sequence[Comparison]:
    from benchmarks import audit, sweeps, trips
    from benchmarks.measure import asked, middle, ratios, take_turns

    if path in sweeps.SIDES:
        sides, of_each = sweeps.SIDES[path](), scale.due
    else:
        sides, of_each = audit.sides(scale.payments) if path == "audit" else getattr(trips, path)(), scale.trips
    rates = take_turns(sides, trips=of_each, rounds=scale.rounds)
    ours, *others = sides
    found, sent = [], asked(ours)
    goals = {goal.against: goal.ratio for goal in [GOALS[path]] if goal}
    for side in others:
        goal = goals.get(side.name)
        each, theirs = ratios(rates, ours.name, side.name), asked(side)
        found.append(
            Comparison(
                path,
                side.name,
                middle(each),
                min(each),
                max(each),
                (middle(rates[ours.name]), middle(rates[side.name])),
                ((sent.statements, sent.commits), (theirs.statements, theirs.commits)),
                goal,
            )
        )
    return found


def _charges(scale: Scale) -> Sequence[Comparison]:
    from benchmarks import charges
    from benchmarks.measure import middle, ratios, take_turns

    goal = GOALS["charges"]
    assert goal is not None
    ours, theirs = charges.sides()
    rates = take_turns([ours, theirs], trips=scale.charges, rounds=scale.rounds)
    rates[goal.against] = [charges.LITTLE] * scale.rounds
    found = []
    for against in (goal.against, theirs.name):
        each, both = ratios(rates, ours.name, against), (middle(rates[ours.name]), middle(rates[against]))
        wanted = goal.ratio if against == goal.against else None
        found.append(Comparison("charges", against, middle(each), min(each), max(each), both, goal=wanted))
    return found


def _scale(scale: Scale) -> Sequence[Comparison]:
    from benchmarks import scale as sizes
    from benchmarks.measure import middle

    goal = GOALS["scale"]
    assert goal is not None
    return [
        Comparison(
            "scale",
            f"{each.sweep}, {each.existing:,} by alone",
            middle(each.costs),
            min(each.costs),
            max(each.costs),
            (each.rate, each.alone),
            goal=goal.ratio,
            at_most=True,
        )
        for each in sizes.found(scale.existing, scale.due, scale.rounds * 3)  # one fsync more is much of half a second
    ]


def _memory(scale: Scale) -> Sequence[Comparison]:
    from benchmarks import memory

    goal = GOALS["memory"]
    assert goal is not None
    few = memory.peak(max(scale.rows * FEW // MANY, 1))
    many = memory.peak(scale.rows)
    ratio = many / few
    return [Comparison("memory", goal.against, ratio, ratio, ratio, (many, few), goal=goal.ratio, at_most=True)]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds those that say how much is measured."""
    parser.add_argument("--rounds", type=positive, default=ROUNDS, help="in which every side takes its turn")
    parser.add_argument("--trips", type=positive, default=TRIPS, help="of each side in a round")
    parser.add_argument("--payments", type=positive, default=PAYMENTS, help="in the database that is audited")
    parser.add_argument("--rows", type=positive, default=MANY, help="that a worker passes over, and a tenth of them")
    parser.add_argument("--existing", type=positive, default=EXISTING, help="rows that a sweep passes over, at most")
    parser.add_argument("--large", dest="existing", action="store_const", const=LARGE, help=f"--existing {LARGE}")
    parser.add_argument("--charges", type=positive, default=CHARGES, help="of saved cards in a round")
    parser.add_argument("--due", type=positive, default=DUE, help="rows of a sweep in a round")


def scale_of(given: argparse.Namespace) -> Scale:
    return Scale(given.rounds, given.trips, given.payments, given.rows, given.due, given.charges, given.existing)


def positive(text: str) -> int:
    """A whole number above zero. Raises ValueError."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paths", description=__doc__)
    parser.add_argument("path", choices=list(GOALS))
    arguments(parser)
    given = parser.parse_args()
    boot.start()
    measures: Callable[[str, Scale], dict[str, Any]] = measure
    print(json.dumps(measures(given.path, scale_of(given))))


if __name__ == "__main__":
    main()
