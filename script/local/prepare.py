"""Runs inside Django, in one process because each start of Django takes seconds: migrations, then demo data."""

import os
import sys
from urllib.parse import urlsplit

import django
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection


def main() -> int:
    django.setup()
    connection.settings_dict["OPTIONS"].pop("pool", None)  # it would try for ten seconds and hide the reason
    try:
        connection.ensure_connection()
    except OperationalError as error:
        where = urlsplit(os.environ["DATABASE_URL"])
        print(f"DATABASE_URL: PostgreSQL on {where.hostname}:{where.port or 5432} refuses: {error}", file=sys.stderr)
        return 1
    call_command("migrate", verbosity=0, interactive=False)
    try:
        call_command("demo")
    except CommandError as error:
        print(f"No demo data: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
