"""The reference is generated, has all of it, and loads no torch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

import simworld
from docs_site.command_reference import command_reference
from docs_site.hooks import fetched, fill, navigation
from docs_site.markdown import cell, code, plain, sentence
from docs_site.pages import DOCS, ROOT, all_pages, anchors, slug, without_code
from docs_site.python_reference import definition, exports, python_reference
from docs_site.table_reference import table_reference
from docs_site.yaml_reference import (
    LEARN_SCHEMA,
    KeyTables,
    learn_schema_text,
    schemas,
    yaml_reference,
)
from simworld.cli import cli
from store.codebook import list_columns

REFERENCE = DOCS / "reference"


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for below in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), below)
            assert found is not None
            yield from commands(found, f"{name} {below}")


def test_every_command_is_there_with_its_options() -> None:
    parts = re.split(r"^#{3,5} `(.*)`$", command_reference(), flags=re.MULTILINE)
    helps = dict(zip(parts[1::2], parts[2::2], strict=True))
    every = dict(commands(cli, "simworld"))
    assert list(helps) == list(every)
    assert len(every) > 60
    for name, command in every.items():
        assert f"Usage: {name} " in helps[name]
        options = {option for one in command.params for option in one.opts if option[:2] == "--"}
        assert {one for one in options if one not in helps[name]} == set()
    assert "[default: " in helps["simworld run"]


def test_every_export_is_there() -> None:
    assert set(exports()) == set(simworld.__all__)
    text = python_reference()
    headings = re.findall(r"^### `(.*)`$", text, re.MULTILINE)
    assert sorted(headings) == sorted(simworld.__all__)
    for name in simworld.__all__:
        found = getattr(simworld, name)
        node, _ = definition(name, exports()[name])
        if isinstance(node, ast.ClassDef | ast.FunctionDef):  # and no alias of a type
            assert node.name == found.__name__
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            assert plain(first) in text, name


def test_signatures_and_fields() -> None:
    text = python_reference()
    assert "def episode_seed(run_seed: int, scenario_id: str, repeat: int) -> int\n" in text
    assert "| `age` | `int &#124; None`" not in text  # code needs a tag where it has a bar
    assert "| `age` | <code>int &#124; None</code> | `None` | years |" in text
    assert "#### `WorkItem.key`\n\n```python\n@property\ndef key(self) -> str\n```" in text


def test_every_table_and_column_is_there() -> None:
    text = table_reference()
    sections = re.split(r"^### `(.*)`$", text, flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    columns = list_columns()
    assert set(found) == {one.table for one in columns}
    for one in columns:
        assert f"| `{one.name}` |" in found[one.table]
    for target in re.findall(r"\]\(#(\w+)\)", text):
        assert target in found


@pytest.mark.parametrize("kind", list(schemas()))
def test_every_key_is_there(kind: str) -> None:
    schema = schemas()[kind]()
    text = yaml_reference(kind)
    names = {
        name
        for part in [schema, *schema.get("$defs", {}).values()]
        for name in part.get("properties", {})
    }
    assert len(names) > 5 or kind in ("rubric",)
    assert {name for name in names if f"| `{name}` |" not in text} == set()
    for target in re.findall(r"\]\(#([^)]+)\)", text):
        assert target in anchors(text)


def test_the_learn_schema_is_that_of_the_code() -> None:
    # `python -m docs_site.yaml_reference` writes it anew
    assert LEARN_SCHEMA.read_text("utf-8") == learn_schema_text()


SCHEMA: Mapping[str, Any] = {
    "properties": {
        "name": {"type": "string", "maxLength": 9, "description": "who|what <it> is"},
        "turns": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
        "part": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}], "default": None},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}, "minItems": 1},
    },
    "required": ["name"],
    "$defs": {
        "Part": {
            "description": "a part",
            "properties": {"kind": {"enum": ["a", "b"], "default": "a"}},
        }
    },
}


def test_the_tables_of_a_schema_by_hand() -> None:
    assert KeyTables(SCHEMA).text() == (
        "| key | value | default | meaning |\n"
        "| --- | --- | --- | --- |\n"
        "| `name` | a text of 9 characters at most | **required** | who&#124;what &#60;it&#62; is. |\n"
        "| `turns` | a whole number from 1 to 5 | `2` |  |\n"
        "| `part` | a mapping: [`part`](#part) |  |  |\n"
        "| `parts` | a list (at least 1), each a mapping: [`part`](#part) |  |  |\n"
        "\n"
        "### `part`\n\nA part.\n\n"
        "| key | value | default | meaning |\n"
        "| --- | --- | --- | --- |\n"
        "| `kind` | `a` or `b` | `a` |  |\n"
    )


def test_texts_are_not_read_as_markup() -> None:
    assert cell("a *b*\n`*c*` | <d>") == "a &#42;b&#42; `*c*` &#124; &#60;d&#62;"
    assert code("int | None") == "<code>int &#124; None</code>"
    assert [sentence(one) for one in ("a b", "kind: a", "Why?", "bargaining, …", "")] == [
        "A b.",
        "kind: a.",
        "Why?",
        "Bargaining, …",
        "",
    ]


def test_marks_give_way_to_what_is_generated() -> None:
    page = "Before\n\n<!-- generated: tables -->\nfor GitHub\n<!-- end -->\n\nafter\n"
    assert fill(page) == f"Before\n\n{table_reference()}\n\nafter\n"
    with pytest.raises(KeyError):
        fill(page.replace("tables", "chairs"))


def test_every_kind_has_a_page_with_its_mark() -> None:
    marks = {
        mark
        for page in REFERENCE.glob("*.md")
        for mark in re.findall(r"^<!-- generated: (.*) -->$", page.read_text("utf-8"), re.MULTILINE)
    }
    assert marks == {"commands", "python", "tables", *(f"yaml {kind}" for kind in schemas())}


def test_no_torch_is_loaded() -> None:
    code = (
        "import sys; from docs_site.hooks import fill; from pathlib import Path\n"
        "for page in Path('docs/reference').glob('*.md'): fill(page.read_text('utf-8'))\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_order_of_the_site(tmp_path: Path) -> None:
    for name in (
        *("index.md", "tutorial.md", "zoo/b.md", "how-to/b.md", "how-to/a.md", "design/a.md"),
        *("experiments/2026-01-02-x.md", "experiments/2026-02-01-y.md", "experiments/index.md"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert navigation(tmp_path) == [
        {"Start": "index.md"},
        "tutorial.md",
        {"How to": ["how-to/a.md", "how-to/b.md"]},
        {
            "Experiments": [
                "experiments/index.md",
                "experiments/2026-02-01-y.md",
                "experiments/2026-01-02-x.md",
            ]
        },
        {"Design": ["design/a.md"]},
        {"Zoo": ["zoo/b.md"]},
    ]


def test_what_a_browser_would_fetch_is_found() -> None:
    assert fetched(
        '<link rel="canonical" href="https://a.org/"><a href="https://b.org">b</a>'
        '<script src="//c.org/c.js"></script><img alt="x" src="https://d.org/d.png">'
        '<link href="https://e.org/e.css" rel="stylesheet"><img src="f.png">'
        "<style>@import 'https://g.org/g.css'; a { background: url(https://h.org/h.svg) }</style>"
    ) == [
        *("//c.org/c.js", "https://d.org/d.png", "https://e.org/e.css"),
        *("https://g.org/g.css", "https://h.org/h.svg"),
    ]


def test_experiments_are_listed_newest_first() -> None:
    listed = re.findall(
        r"\]\((\d{4}-\d\d-\d\d)-", (DOCS / "experiments/index.md").read_text("utf-8")
    )
    table = listed[1:]  # the first one stands in the text above
    assert len(table) > 20
    assert table == sorted(table, reverse=True)
    pages = {page.name for page in (DOCS / "experiments").glob("2*.md")}
    text = (DOCS / "experiments/index.md").read_text("utf-8")
    assert {page for page in pages if f"({page})" not in text} == set()


LIST = re.compile(r"(?:[-*+]|\d+\.) ")


def test_the_site_sees_each_list() -> None:
    """Markdown's own rule, which GitHub does not ask for: a list begins behind an empty line."""
    found = []
    for page in all_pages():
        for block in without_code(page.read_text("utf-8")).split("\n\n"):
            lines = block.strip("\n").splitlines()
            begins = next((n for n, line in enumerate(lines) if LIST.match(line)), 0)
            if begins and not lines[begins - 1].startswith((" ", "#")):
                found.append(f"{page.name}: {lines[begins]}")
    assert found == []


def test_slugs_are_those_of_github() -> None:
    assert slug("What `it` is: a (small) test") == "what-it-is-a-small-test"
