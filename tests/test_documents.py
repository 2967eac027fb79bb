"""Documents that tell of the code are compared with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from billing.management.commands.state_diagrams import BEGIN, END, diagrams

ROOT = Path(__file__).parents[1]


def test_the_state_diagrams_of_the_architecture_are_those_of_the_code() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    shown = text.split(BEGIN)[1].split(END)[0].strip()
    assert shown == diagrams(), "run: manage.py state_diagrams --write ARCHITECTURE.md"


def test_a_document_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text("no marks")
    with pytest.raises(CommandError, match="lacks the marks"):
        call_command("state_diagrams", write=document)
    assert document.read_text() == "no marks"


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", *["docs/" + p.name for p in (ROOT / "docs").glob("*.md")]]
)
def test_every_file_that_a_document_points_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert ((ROOT / name).parent / target).exists(), f"{name} points to {target}"
