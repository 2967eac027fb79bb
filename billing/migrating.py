"""What several migrations do."""

from __future__ import annotations

from django.db import migrations


def without_its_index(
    table: str, column: str, index: str, field: migrations.AlterField
) -> migrations.SeparateDatabaseAndState:
    """The operation by which a `column` loses its `index`, and the model's state becomes what `field` says; reversible.

    Only that index goes: Django's own operation would drop each unique index of this one column besides, with the
    constraint that it is.
    """
    drop = migrations.RunSQL(f"DROP INDEX {index}", f"CREATE INDEX {index} ON {table} ({column})")
    return migrations.SeparateDatabaseAndState([drop], [field])
