"""`manage.py state_diagrams`: the state machines as Mermaid, from the code; `--write FILE` puts them into a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.models.state import StatefulModel

BEGIN, END = "<!-- state diagrams: begin -->", "<!-- state diagrams: end -->"


def diagrams() -> str:
    """A Mermaid diagram for each stateful model, in a fixed order."""
    models = sorted((m for m in apps.get_models() if issubclass(m, StatefulModel)), key=lambda m: m.noun)
    return "\n\n".join(f"### {model.noun.capitalize()}\n\n{_diagram(model)}" for model in models)


class Command(BaseCommand):
    help = "Prints the state machines as Mermaid diagrams, or writes them between the marks of a document."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", type=Path, metavar="FILE", help="a document with the two marks")

    def handle(self, *args: Any, write: Path | None = None, **options: Any) -> None:
        if write is None:
            self.stdout.write(diagrams())
            return
        text = write.read_text()
        if BEGIN not in text or END not in text:
            raise CommandError(f"{write} lacks the marks {BEGIN} and {END}")
        marked = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
        write.write_text(marked.sub(lambda _: f"{BEGIN}\n\n{diagrams()}\n\n{END}", text))


def _diagram(model: type[StatefulModel]) -> str:
    field: Any = {f.name: f for f in model._meta.get_fields()}["status"]
    lines = [f"    [*] --> {field.default}"]
    lines += sorted(f"    {source} --> {target}: {name}" for source, target, name in _edges(model, field))
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _edges(model: type[StatefulModel], field: Any) -> Iterator[tuple[str, str, str]]:
    for transition in field.get_all_transitions(model):
        yield str(transition.source), str(transition.target), transition.name
