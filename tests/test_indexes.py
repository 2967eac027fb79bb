"""Each index is paid for at every write: none that another one does the work of."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model

LABELS = ("accounts", "billing", "subscriptions", "notifications")


def ours() -> list[type[Model]]:
    return [model for label in LABELS for model in apps.get_app_config(label).get_models()]


# An index without a condition is spare if another such one begins with its columns. Tables between two models are
# Django's own.
SPARE = """
    WITH plain AS (
         SELECT index.indrelid, index.indexrelid, index.indisunique, index.indkey::smallint[] AS columns,
                index.indclass::oid[] AS classes
           FROM pg_index index
           JOIN pg_class name ON name.oid = index.indexrelid
           JOIN pg_am method ON method.oid = name.relam
          WHERE method.amname = 'btree' AND index.indpred IS NULL AND index.indexprs IS NULL)
    SELECT spare.indexrelid::regclass::text, other.indexrelid::regclass::text
      FROM plain spare
      JOIN plain other ON other.indrelid = spare.indrelid AND other.indexrelid <> spare.indexrelid
     WHERE spare.indrelid::regclass::text = ANY(%s) AND NOT spare.indisunique
       AND other.columns[0:cardinality(spare.columns) - 1] = spare.columns
       AND other.classes[0:cardinality(spare.classes) - 1] = spare.classes"""


NAMES = """
    SELECT relname FROM pg_class WHERE relkind = 'i' UNION SELECT conname FROM pg_constraint"""


@pytest.mark.django_db
def test_every_constraint_and_index_that_a_model_names_is_in_the_database() -> None:
    named = {each.name for model in ours() for each in (*model._meta.constraints, *model._meta.indexes)}
    with connection.cursor() as cursor:
        cursor.execute(NAMES)
        assert named - {name for (name,) in cursor.fetchall()} == set()


@pytest.mark.django_db
def test_no_index_is_the_beginning_of_another() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SPARE, [[model._meta.db_table for model in ours()]])
        assert cursor.fetchall() == []
