"""Compares an acquirer's statement of a day with our books."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from itertools import product
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from acquiring import registry
from acquiring.http import Unanswered
from billing import audit, reconciliation
from billing.models import Case


class Command(BaseCommand):
    help = "Compares acquirers' statements with our books. Exit status: 0 all agrees, 1 cases are open, 2 no statement."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--acquirer", action="append", help="Only this one; repeatable. All, unless told.")
        parser.add_argument("--since", type=date.fromisoformat, help="Every day from this one to yesterday (UTC).")
        parser.add_argument("--day", type=date.fromisoformat, help="Such as 2026-11-20 (UTC). Yesterday, unless told.")

    def handle(
        self, *args: Any, acquirer: list[str] | None, day: date | None, since: date | None = None, **options: Any
    ) -> None:
        at = timezone.now()
        yesterday = at.astimezone(UTC).date() - timedelta(days=1)
        days = reconciliation.days_since(since, yesterday) if since else [day or yesterday]
        if not days or (day and since):
            raise CommandError("Give either --day, or --since with a day before today (UTC).", returncode=2)
        names = acquirer or registry.names()
        try:
            audit.ready()
        except audit.CannotAudit as error:
            raise CommandError(f"Nothing was compared: {error}", returncode=2) from None
        for name, each in product(names, days):
            try:
                result = reconciliation.run(name, each, at=at)
            except registry.UnknownAcquirer:
                raise CommandError(f"There is no acquirer {name}.", returncode=2) from None
            except Unanswered as error:
                raise CommandError(f"{name} gave no statement: {error}", returncode=2) from None
            self.stdout.write(
                f"{name}, {each}: {result.lines} lines, {len(result.opened)} new cases, {len(result.closed)} vanished"
            )
        open_ = list(Case.objects.filter(acquirer__in=names, status=Case.Status.OPEN).order_by("created_at"))
        for case in open_:
            self.stdout.write(f"  {case.pk} {case.kind}: {case.sentence}")
        if open_:
            raise CommandError(f"{len(open_)} cases are open; resolve them in the admin.", returncode=1)
