"""One thing is told in the singular."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import simworld
from simworld.core.counts import counted


@pytest.mark.parametrize(
    ("n", "plural", "told"),
    [
        (0, "", "0 episodes"),
        (1, "", "1 episode"),
        (2, "", "2 episodes"),
        (1200, "", "1,200 episodes"),
    ],
)
def test_a_number_of_things(n: int, plural: str, told: str) -> None:
    assert counted(n, "episode", plural) == told


def test_an_irregular_plural() -> None:
    assert [counted(n, "family", "families") for n in (1, 3)] == ["1 family", "3 families"]


def test_no_command_and_no_page_puts_a_plural_behind_a_number() -> None:
    nouns = "episodes|judgements|conversations|scenarios|agents|families|pairs|files|problems|replies|turns|runs|transitions"
    in_python = re.compile(rf"\{{[^{{}}]+\}} (judged )?({nouns})\b")
    in_pages = re.compile(rf"\| count \}}\}} (judged )?({nouns})\b")
    package = Path(simworld.__file__).parent
    sources = {
        **dict.fromkeys(package.glob("cli/**/*.py"), in_python),
        **dict.fromkeys(package.glob("web/templates/*.html"), in_pages),
    }
    assert len(sources) > 60
    found = [
        match[0]
        for path, pattern in sources.items()
        for match in pattern.finditer(path.read_text("utf-8"))
    ]
    assert found == []
