"""One meaning per name: a class or a type alias of our packages has one home."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import agents
import scenarios
import simworld
import store


def named(source: str) -> Iterator[str]:
    """The names of classes anywhere in a module and of type aliases at its top, without leading
    underscores; constants (`LIMIT`, `T`) are no types.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
    for statement in tree.body:
        target = (
            statement.targets[0]
            if isinstance(statement, ast.Assign)
            else statement.target
            if isinstance(statement, ast.AnnAssign)
            else None
        )
        if isinstance(target, ast.Name):
            name = target.id.lstrip("_")
            if name[:1].isupper() and not name.isupper():
                yield name


def test_classes_and_type_aliases_are_seen_wherever_they_stand() -> None:
    source = (
        "class Row: pass\n_Key = tuple[str, int]\nLIMIT = 3\nPlace: TypeAlias = str\n"
        "T = TypeVar('T')\ndef f() -> None:\n    class _Inner: pass\n    Local = int\n"
    )
    assert sorted(named(source)) == ["Inner", "Key", "Place", "Row"]


def test_every_class_and_type_alias_has_one_home() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for package in (simworld, agents, scenarios, store):
        folder = Path(package.__file__ or "").parent
        for path in sorted(folder.rglob("*.py")):
            for name in named(path.read_text("utf-8")):
                homes[name].append(str(path.relative_to(folder.parent)))
    assert len(homes) > 400
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
