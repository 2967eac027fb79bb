"""The table that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.paths import Comparison

HEAD = ("path", "against", "ratio", "min–max", "goal", "ours/s", "theirs/s", "SQL", "commits", "")


def table(comparisons: Iterable[Comparison]) -> str:
    """One line for each comparison; SQL and commits are of one trip, ours | theirs."""
    return _aligned([HEAD, *(_line(each) for each in comparisons)])


def memory(peaks: Mapping[str, float]) -> str:
    """The peak memory of each process that measured."""
    return _aligned([("process", "peak memory"), *((path, f"{mib:.0f} MiB") for path, mib in peaks.items())])


def _line(each: Comparison) -> Sequence[str]:
    (statements, commits), (their_statements, their_commits) = each.asked
    of_memory = each.path == "memory"
    return (
        each.path,
        each.against,
        f"{each.ratio:.2f}",
        f"{each.least:.2f}–{each.most:.2f}",
        "" if each.goal is None else f"{'≤' if each.at_most else '≥'} {each.goal:.2f}",
        *(f"{rate:,.0f} MiB" if of_memory else f"{rate:,.0f}" for rate in each.rates),
        "" if of_memory else f"{statements} | {their_statements}",
        "" if of_memory else f"{commits} | {their_commits}",
        "" if each.goal is None else "reached" if each.reached else "MISSED",
    )


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
