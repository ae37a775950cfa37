"""What `simworld` exports: signatures, fields and docstrings, read from the source. Nothing is
imported, so that no torch is needed.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from docs_site.markdown import cell, code, plain, table
from docs_site.pages import ROOT

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign
_WIDTH = 88


def exports() -> dict[str, str]:
    """Name → module, of all that `simworld/__init__.py` imports for type checkers."""
    tree = ast.parse(_file("simworld").read_text("utf-8"))
    (block,) = (
        node for node in tree.body if isinstance(node, ast.If) and _is_type_checking(node.test)
    )
    return {
        alias.asname or alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module not in (None, "typing")
        for alias in node.names
    }


def python_reference() -> str:
    """A section for each name: first functions, then classes, each in alphabetical order."""
    found = [(name, *definition(name, module)) for name, module in exports().items()]
    functions = [one for one in found if not isinstance(one[1], ast.ClassDef)]
    classes = [one for one in found if isinstance(one[1], ast.ClassDef)]
    parts = []
    for title, members in (("Functions", functions), ("Classes", classes)):
        parts.append(f"## {title}\n")
        parts += [_section(*one) for one in sorted(members, key=lambda one: one[0].lower())]
    return "\n".join(parts)


def definition(name: str, module: str) -> tuple[Definition, list[str]]:
    """Where a name is defined, through the modules that pass it on, and the lines of that file."""
    source = _file(module).read_text("utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(further)):
                if any((alias.asname or alias.name) == name for alias in node.names):
                    original = next(a.name for a in node.names if (a.asname or a.name) == name)
                    return definition(original, further)
    for node in tree.body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name:
                return node, source.splitlines()
            case ast.Assign(targets=[ast.Name(id=found)]) if found == name:
                return node, source.splitlines()
            case ast.AnnAssign(target=ast.Name(id=found)) if found == name:
                return node, source.splitlines()
    raise LookupError(f"{module} defines no {name}")


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _section(name: str, node: Definition, lines: list[str]) -> str:
    match node:
        case ast.ClassDef():
            bases = [ast.unparse(base) for base in node.bases]
            head = f"class {name}" + (f"({', '.join(bases)})" if bases else "")
            parts = [_code(head), _docstring(node), _fields(node, lines)]
            parts += [
                f"#### `{name}.{one.name}`\n\n{_code(_signature(one))}\n{_docstring(one)}"
                for one in _methods(node)
            ]
            return f"### `{name}`\n\n" + "\n".join(part for part in parts if part)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return f"### `{name}`\n\n{_code(_signature(node))}\n{_docstring(node)}"
    return f"### `{name}`\n\n{_code(ast.unparse(node))}\n{plain(_comment(node, lines))}\n"


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for one in node.body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name[0] != "_":
            yield one


def _fields(node: ast.ClassDef, lines: list[str]) -> str:
    """A table of the fields of a dataclass, or of the members of an enumeration."""
    rows = []
    for one in node.body:
        match one:
            case ast.AnnAssign(target=ast.Name(id=name)) if name[0] != "_":
                default = code(ast.unparse(one.value)) if one.value is not None else ""
                kind = code(ast.unparse(one.annotation))
                rows.append([code(name), kind, default, cell(_comment(one, lines))])
            case ast.Assign(targets=[ast.Name(id=name)]) if name[0] != "_":
                value = code(ast.unparse(one.value))
                rows.append([code(name), "", value, cell(_comment(one, lines))])
    return table(["name", "type", "value", "meaning"], rows) if rows else ""


def _comment(node: ast.stmt, lines: list[str]) -> str:
    """The comment behind a statement, or in the lines right before it."""
    last = lines[(node.end_lineno or node.lineno) - 1][node.end_col_offset or 0 :]
    if behind := re.match(r"\s*#\s*(.*)", last):
        return behind[1]
    before: list[str] = []
    number = node.lineno - 2
    while number >= 0 and (above := re.match(r"\s*#\s*(.*)", lines[number])):
        before.insert(0, above[1])
        number -= 1
    return " ".join(before)


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """A function's head; over several lines, one for each parameter, where it is long."""
    decorators = "".join(
        f"@{ast.unparse(one)}\n"
        for one in node.decorator_list
        if ast.unparse(one) in ("property", "classmethod", "staticmethod", "cached_property")
    )
    start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    parameters = _parameters(node.args)
    whole = f"{start} {node.name}({', '.join(parameters)}){returns}"
    if len(whole) > _WIDTH:
        inner = "".join(f"    {one},\n" for one in parameters)
        whole = f"{start} {node.name}(\n{inner}){returns}"
    return decorators + whole


def _parameters(arguments: ast.arguments) -> list[str]:
    """Each parameter with its default, and the bare `*` and `/` between them."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    found = [_parameter(*one) for one in zip(positional, defaults, strict=True)]
    if arguments.posonlyargs:
        found.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg is not None:
        found.append(f"*{_parameter(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        found.append("*")
    keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found += [_parameter(*one) for one in keyword]
    if arguments.kwarg is not None:
        found.append(f"**{_parameter(arguments.kwarg, None)}")
    return found


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation is not None else ""
    equals = " = " if kind else "="
    return argument.arg + kind + (f"{equals}{ast.unparse(default)}" if default is not None else "")


def _docstring(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    parts = re.split(r"\n\s*\n", text)
    return "\n\n".join(_paragraph(part) for part in parts) + "\n"


def _paragraph(part: str) -> str:
    if all(line.startswith("    ") for line in part.splitlines()):
        return part  # an example
    if section := re.match(r"(Args|Returns|Raises|Yields|Note):\n", part):
        items = re.split(r"\n {4}(?=\S)", "\n" + inspect.cleandoc(part[section.end() :]))
        items = [" ".join(item.split()) for item in re.split(r"\n(?=\S)", "\n".join(items).strip())]
        return f"{section[1]}:\n\n" + "\n".join(f"- {plain(item)}" for item in items)
    return plain(part)


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
