"""Databases of the benchmark's own, new for each run: beside the one that DATABASE_URL names, and called after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


@contextmanager
def new(url: str, suffix: str, like: str = "") -> Iterator[str]:
    """The URL of a new database, empty or a copy of the one at the URL `like`; gone afterwards. Raises psycopg.Error.

    `url` names a database of the same server, which stays as it is.
    """
    parts = urlsplit(url)
    path = f"{parts.path}_{suffix}"
    name, template = sql.Identifier(path[1:]), sql.Identifier(urlsplit(like).path[1:] or "template1")
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(drop)
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template))
    try:
        yield urlunsplit(parts._replace(path=path))
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(drop)
