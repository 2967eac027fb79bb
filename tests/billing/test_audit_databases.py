"""B2: whatever the database is like, `manage.py audit` says in a sentence what is so, and its exit status too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[2]


def manage(*words: str, database: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refuses(sentence: str, *words: str, database: str) -> None:
    """One line, no traceback, exit status 2."""
    done = manage(*(words or ("audit",)), database=database)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert sentence in done.stderr and len(done.stderr.strip().splitlines()) <= 2, done.stderr


@pytest.fixture
def scratch(db: None) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    name = f"{connection.settings_dict['NAME']}_scratch"
    server = {"dbname": "postgres", "autocommit": True}
    for key, word in (("HOST", "host"), ("PORT", "port"), ("USER", "user"), ("PASSWORD", "password")):
        if connection.settings_dict.get(key):
            server[word] = connection.settings_dict[key]
    with psycopg.connect(**server) as postgres:
        postgres.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        postgres.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(os.environ.get("DATABASE_URL", _laptop()))._replace(path=f"/{name}").geturl()
        postgres.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _laptop() -> str:
    found = settings.DATABASES["default"]
    return f"postgres://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/x"


@pytest.mark.parametrize("command", ["audit", "reconcile", "simulate --years 1"])
def test_B2_an_empty_database_is_a_sentence_and_2(scratch: str, command: str) -> None:
    refuses("is not migrated", *command.split(), database=scratch)


def test_B2_a_half_migrated_database_is_a_sentence_and_2(scratch: str) -> None:
    assert manage("migrate", "billing", "0002", database=scratch).returncode == 0
    refuses("the first is", database=scratch)
    refuses("is not migrated", "simulate", "--years", "1", database=scratch)


@pytest.mark.parametrize(
    "spoil", [lambda at: at._replace(netloc="postgres@127.0.0.1:1"), lambda at: at._replace(path="/no")]
)
@pytest.mark.parametrize("command", ["audit", "reconcile"])
def test_B2_a_database_that_cannot_be_reached_is_a_sentence_and_2(
    scratch: str, command: str, spoil: Callable[..., object]
) -> None:
    refuses("the database does not answer: ", command, database=spoil(urlsplit(scratch)).geturl())


def test_B2_a_corrupted_database_is_1_and_one_without_a_table_is_2(scratch: str) -> None:
    assert manage("migrate", database=scratch).returncode == 0
    right = manage("audit", database=scratch)
    assert (right.returncode, right.stderr) == (0, "") and "The books are right" in right.stdout
    with psycopg.connect(scratch.replace("postgres://", "postgresql://"), autocommit=True) as books:
        books.execute("ALTER TABLE billing_account DROP CONSTRAINT account_wallets_are_customers")
        books.execute(
            "INSERT INTO billing_account (code, kind, currency, balance, created_at)"
            " VALUES ('wallet:x:RUB', 'wallet', 'RUB', 5, now())"
        )
        broken = manage("audit", database=scratch)
        assert broken.returncode == 1 and "BROKEN: wallet.balance" in broken.stdout
        assert "1 promises are broken" in broken.stderr
        books.execute("DROP TABLE billing_delivery")
    refuses('No audit: The database cannot be read: relation "billing_delivery" does not exist', database=scratch)
