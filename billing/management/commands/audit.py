"""Checks every promise of the books over the whole database."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from acquiring.http import Unanswered
from acquiring.registry import UnknownAcquirer
from billing import audit, reconciliation
from billing.audit import Finding, Report
from billing.models import Case


class Command(BaseCommand):
    help = "Checks every promise of the books. Exit status: 0 all kept, 1 something is broken, 2 it cannot be said."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--shown", type=int, default=10, help="Rows to show of each breach (10).")
        parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="Only this check; repeatable.")
        parser.add_argument("--acquirer", help="Also compare this acquirer's statement; differences become cases.")
        parser.add_argument("--day", type=date.fromisoformat, help="Of the statement (UTC). Today and 3 days before.")
        parser.add_argument("--since", type=date.fromisoformat, help="Of the statements: every day from this one on.")
        parser.add_argument("--timings", action="store_true", help="Also how long each check took.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["since"] and (options["day"] or not options["acquirer"]):
            raise CommandError("--since goes with --acquirer, and without --day.", returncode=2)
        unknown = set(options["only"]) - set(audit.names())
        if unknown:
            raise CommandError(f"There is no check {', '.join(sorted(unknown))}.", returncode=2)
        try:
            audit.ready()
            self._compare(options["acquirer"], options["day"], options["since"])
            report = audit.run(at=timezone.now(), shown=max(options["shown"], 1), only=frozenset(options["only"]))
            report.breaches += self._cases(options["acquirer"])
        except UnknownAcquirer as error:
            raise CommandError(f"There is no acquirer {error}.", returncode=2) from None
        except Unanswered as error:
            raise CommandError(f"No audit: {options['acquirer']} gave no statement: {error}", returncode=2) from None
        except (audit.CannotAudit, DatabaseError) as error:
            raise CommandError(f"No audit: {str(error).strip()}", returncode=2) from None
        self._tell(report, timings=options["timings"])

    def _compare(self, acquirer: str | None, day: date | None, since: date | None) -> None:
        at = timezone.now()
        today = at.astimezone(UTC).date()
        since = since or today - timedelta(days=reconciliation.DAYS)
        days = [day] if day else reconciliation.days_since(since, today)
        for each in days if acquirer else ():
            result = reconciliation.run(str(acquirer), each, at=at)
            self.stdout.write(f"{acquirer}, {each}: {result.lines} lines, {len(result.opened)} new differences")

    def _cases(self, acquirer: str | None) -> list[Finding]:
        """Asked for an acquirer, its open cases break the promise that it agrees with us."""
        open_ = Case.objects.filter(acquirer=acquirer, status=Case.Status.OPEN) if acquirer else Case.objects.none()
        latest = open_.order_by("created_at")[:50]
        rows = [{"case": case.pk, "kind": case.kind, "sentence": case.sentence} for case in latest]
        check = audit.Check("acquirer.agrees", f"{acquirer} says what our books say.", "")
        return [Finding(check, open_.count(), rows)] if rows else []

    def _tell(self, report: Report, *, timings: bool) -> None:
        for name, seconds in report.timings.items() if timings else ():
            self.stdout.write(f"{seconds:8.2f} s  {name}")
        for finding in report.told:
            self._show("Waiting", finding)
        for finding in report.breaches:
            self._show("BROKEN", finding)
        summary = f"{report.checks} checks, {report.rows} rows, {report.seconds:.1f} seconds"
        if report.breaches:
            raise CommandError(f"{len(report.breaches)} promises are broken ({summary}).", returncode=1)
        waiting = sum(finding.count for finding in report.told)
        self.stdout.write(f"The books are right: {summary}" + (f"; {waiting} wait for a human." if waiting else "."))

    def _show(self, word: str, finding: Finding) -> None:
        self.stdout.write(f"{word}: {finding.check.name}: {finding.check.sentence} Rows: {finding.count}")
        for row in finding.rows:
            self.stdout.write("  " + ", ".join(f"{name}={value}" for name, value in row.items()))
        if finding.count > len(finding.rows):
            self.stdout.write(f"  and {finding.count - len(finding.rows)} more")
