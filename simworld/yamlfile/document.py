"""A YAML file as plain data in which every value knows its place. The loader refuses what authors
never mean.

Refused, each with file, line and column and all at once: duplicate keys, keys that are not text,
merge keys, tags, several documents in one file, anchors that contain themselves, and aliases that
would blow the file up ("billion laughs").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from simworld.core.errors import InputError, Problem
from simworld.yamlfile.messages import dotted_path, syntax_message
from simworld.yamlfile.scalars import resolve_scalar
from simworld.yamlfile.source_text import (
    CONTROL_CHARACTERS,
    read_source_text,
    refuse_control_characters,
)

YamlPath = tuple[str | int, ...]

MAX_DEPTH = 64
MAX_NODES = 200_000  # after every alias is written out

# libyaml where PyYAML was built with it
_BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BaseLoader):  # type: ignore[misc, valid-type]
    """Composes nodes, and leaves to `resolve_scalar` what a plain scalar means."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute, shadowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The content of one YAML file; `data` may be shared between aliases, so treat it as
    read-only.
    """

    name: str  # as shown in messages, usually the path as the user wrote it
    data: Any
    root: yaml.Node | None  # None: the file is empty
    _index: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def file_position(self, loc: YamlPath, *, key: bool = False) -> str:
        """`file:line:column` of the value at `loc` (of its key with `key`), else of the nearest
        thing around it.
        """
        node, key_node, _ = self._nodes_at(loc)
        shown = key_node if key and key_node is not None else node
        return f"{self.name}:1:1" if shown is None else _position_text(self.name, shown)

    def problem(self, loc: YamlPath, message: str, *, key: bool = False) -> Problem:
        """A problem at `loc`: `file:line:column: seats.1.goal: message`."""
        path = dotted_path(loc)
        return Problem(f"{path}: {message}" if path else message, self.file_position(loc, key=key))

    def raw_text(self, loc: YamlPath) -> str | None:
        """The scalar at `loc` as the author wrote it, without quotes; None if there is no
        scalar.
        """
        node, _, exists = self._nodes_at(loc)
        return node.value if exists and isinstance(node, yaml.ScalarNode) else None

    def existing_loc(self, loc: YamlPath) -> YamlPath:
        """The parts of `loc` that exist in the file; what a validator put in between (a union's
        branch) is left out.
        """
        existing: list[str | int] = []
        node = self.root
        for part in loc:
            child = self._child(node, part)
            if child is not None:
                node = child[0]
                existing.append(part)
        return tuple(existing)

    def line_and_column(self, loc: YamlPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column from 1, to sort by."""
        line, column = self.file_position(loc, key=key).rsplit(":", 2)[1:]
        return int(line), int(column)

    def _nodes_at(self, loc: YamlPath) -> tuple[yaml.Node | None, yaml.Node | None, bool]:
        node, key_node = self.root, None
        for part in loc:
            child = self._child(node, part)
            if child is None:
                return node, None, False
            node, key_node = child
        return node, key_node, True

    def _child(
        self, node: yaml.Node | None, part: str | int
    ) -> tuple[yaml.Node, yaml.Node | None] | None:
        """The value and the key node of a part, or None where the file has no such part."""
        if isinstance(node, yaml.MappingNode):
            if id(node) not in self._index:
                self._index[id(node)] = {key.value: (value, key) for key, value in node.value}
            return self._index[id(node)].get(str(part))
        if (
            isinstance(node, yaml.SequenceNode)
            and isinstance(part, int)
            and 0 <= part < len(node.value)
        ):
            return node.value[part], None
        return None


def load_yaml(path: Path) -> Document:
    """The document in a file. Raises InputError with every problem."""
    return _load(read_source_text(path), str(path))


def load_text(text: str, name: str) -> Document:
    """The document in a text; `name` stands for the file in messages. Raises InputError with every
    problem.
    """
    refuse_control_characters(text, name)
    return _load(text, name)


def _load(text: str, name: str) -> Document:
    try:
        problems = _forbidden_syntax(text, name)
        if problems:
            raise InputError(problems)
        root = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise InputError(syntax_message(error, text), where) from None
    except yaml.YAMLError as error:
        raise InputError(" ".join(str(error).split()), name) from None
    if root is None:
        return Document(name=name, data=None, root=None)
    builder = _Builder(name)
    builder.count_nodes(root, ())
    if not builder.problems:
        data = builder.build(root, ())
    if builder.problems:
        raise InputError(builder.problems)
    return Document(name=name, data=data, root=root)


def _forbidden_syntax(text: str, name: str) -> list[Problem]:
    """What must be refused before nodes are made: tags, more than one document, endless nesting."""
    problems: list[Problem] = []
    depth = documents = 0
    for event in yaml.parse(text, _Loader):
        where = _position_text(name, event)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                problems.append(
                    Problem("a second document ('---') in one file; use a file for each", where)
                )
                return problems
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                return [Problem(f"nested deeper than {MAX_DEPTH} levels", where)]
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            problems.append(
                Problem(
                    f"tag '{shown}' is not allowed; write the value alone, text in quotes", where
                )
            )
    return problems


class _Builder:
    """Turns nodes into plain data and collects what is wrong with them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self._node_counts: dict[int, int] = {}
        self._ancestors: set[int] = set()
        self._values: dict[int, Any] = {}

    def count_nodes(self, node: yaml.Node, loc: YamlPath) -> int:
        """The number of nodes below and with `node`, aliases written out; reports cycles and too
        many nodes.
        """
        if id(node) in self._node_counts:
            return self._node_counts[id(node)]
        if id(node) in self._ancestors:
            self._report(node, "an anchor contains an alias to itself")
            return 1
        self._ancestors.add(id(node))
        count = 1
        for child in _child_nodes(node):
            count += self.count_nodes(child, loc)
        self._ancestors.discard(id(node))
        if count > MAX_NODES and not self.problems:
            self._report(node, f"more than {MAX_NODES:,} values once every alias is written out")
        self._node_counts[id(node)] = count
        return count

    def build(self, node: yaml.Node, loc: YamlPath) -> Any:
        """The plain value of a node."""
        if id(node) in self._values:
            return self._values[id(node)]
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, loc)
        elif isinstance(node, yaml.SequenceNode):
            value = [self.build(child, (*loc, i)) for i, child in enumerate(node.value)]
        else:
            plain = isinstance(node, yaml.ScalarNode) and not node.style
            value = resolve_scalar(node.value) if plain else node.value
            if isinstance(value, str):
                self._check_text(node, value)
        self._values[id(node)] = value
        return value

    def _mapping(self, node: yaml.MappingNode, loc: YamlPath) -> dict[str, Any]:
        value: dict[str, Any] = {}
        key_nodes: dict[str, yaml.Node] = {}
        for key_node, child in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(key_node, "a key must be a word, not a list or a mapping")
                continue
            key = key_node.value
            path = dotted_path((*loc, key))
            self._check_text(key_node, key)
            if key == "<<":
                self._report(
                    key_node, f"{path}: merge keys are not supported; write the fields out"
                )
            elif not key.strip():
                self._report(key_node, f"{path}: an empty key")
            elif key in key_nodes:
                first = _position_text("", key_nodes[key]).split(":")[1]
                self._report(key_node, f"{path}: duplicate key; the first is in line {first}")
            key_nodes.setdefault(key, key_node)
            value[key] = self.build(child, (*loc, key))
        return value

    def _check_text(self, node: yaml.Node, text: str) -> None:
        """Reports what no text holds: the source itself was looked at before, but escapes write
        such characters too.
        """
        if any("\ud800" <= c <= "\udfff" for c in text):
            self._report(node, "half of a surrogate pair; write the character itself")
        elif control := CONTROL_CHARACTERS.search(text):
            self._report(node, f"control character U+{ord(control[0]):04X} in the text")

    def _report(self, node: yaml.Node, message: str) -> None:
        self.problems.append(Problem(message, _position_text(self.name, node)))


def _position_text(name: str, node: yaml.Node | yaml.Event) -> str:
    line, column = (node.start_mark.line, node.start_mark.column) if node.start_mark else (0, 0)
    return f"{name}:{line + 1}:{column + 1}"


def _child_nodes(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return []


def sort_problems(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without repeats; those of one file in the order of its lines, files in order of
    appearance.
    """
    unique = list(dict.fromkeys(problems))
    file_order: dict[str, int] = {}
    sort_keys: dict[Problem, tuple[int, int, int]] = {}
    for problem in unique:
        parts = problem.where.rsplit(":", 2)
        has_position = len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit()
        file = parts[0] if has_position else problem.where
        line, column = (int(parts[1]), int(parts[2])) if has_position else (0, 0)
        sort_keys[problem] = (file_order.setdefault(file, len(file_order)), line, column)
    return sorted(unique, key=sort_keys.__getitem__)
