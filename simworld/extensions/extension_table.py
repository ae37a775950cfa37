"""One table for each extension point: simworld's own entries, and beside them those that installed
distributions declare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from simworld.core.errors import InputError, SimworldError
from simworld.extensions.extension_content import module_content
from simworld.extensions.import_permission import imports_are_allowed
from simworld.extensions.installed import InstalledExtension, installed_extensions
from simworld.yamlfile import describe_value, did_you_mean, join_with_or

D = TypeVar("D")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DOTTED_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


class NoSettings(BaseModel):
    """The settings of an extension that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[D]):
    """What a name stands for."""

    name: str
    declaration: D
    # of an extension: distribution, version and the hash of its code; empty: simworld's own
    identity: str = ""
    source: str = "simworld"  # as messages say it: `barter 0.1.0`


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionTable(Generic[D]):
    """The entries of one extension point."""

    group: str  # of entry points
    what: str  # one entry, in words: "agent kind"
    declaration: type[D]  # what an entry point must be
    builtin: Mapping[str, D] = field(repr=False)

    @property
    def declared(self) -> tuple[InstalledExtension, ...]:
        """What distributions declare, usable or not."""
        return installed_extensions(self.group)

    @property
    def installed(self) -> tuple[InstalledExtension, ...]:
        """What distributions add; a name of simworld's own stays its own."""
        return tuple(each for each in self.declared if each.name not in self.builtin)

    def problem(self, extension: InstalledExtension) -> str:
        """Why an extension cannot be used, in one line; empty: it can."""
        if extension.name in self.builtin:
            return f"{extension.name!r} is a name of simworld's own; give it another"
        try:
            self.find(extension.name)
        except InputError as error:
            return str(error)
        return ""

    def names(self) -> tuple[str, ...]:
        """All names, simworld's own first."""
        return (*self.builtin, *dict.fromkeys(each.name for each in self.installed))

    def find(self, name: object) -> Entry[D]:
        """The entry of a name; an extension is imported.

        Raises:
            InputError: one line: no such name, two distributions that give it, code that cannot be
                imported or is something else, or a dotted path where imports are not allowed.
        """
        if isinstance(name, str) and name in self.builtin:
            return Entry(name=name, declaration=self.builtin[name])
        found = [each for each in self.installed if each.name == name]
        if len(found) > 1:
            raise InputError(
                f"{self.what} {name!r} is given by two distributions,"
                f" {' and '.join(each.source for each in found)}; uninstall one of them"
            )
        if found:
            return self._load(found[0].name, found[0].entry_point, found[0].source)
        if isinstance(name, str) and _DOTTED_PATH.fullmatch(name):
            if not imports_are_allowed():
                raise InputError(
                    f"{name!r} is a path to code, which is not imported from a file; install it as"
                    f" an entry point of {self.group}, or say --allow-import if you trust it"
                )
            path = EntryPoint(name=name, value=name, group=self.group)
            return self._load(name, path, name.partition(":")[0])
        raise InputError(self._unknown(name))

    def _unknown(self, name: object) -> str:
        sources = {each.name: each.source for each in self.installed}
        known = [f"{n} (of {sources[n]})" if n in sources else n for n in self.names()]
        return (
            f"expected {join_with_or(known)}, found {describe_value(name)}"
            f"{did_you_mean(name, self.names())}"
        )

    def _load(self, name: str, entry_point: EntryPoint, source: str) -> Entry[D]:
        what = f"{self.what} {name!r}" + (f" of {source}" if entry_point.dist else "")
        try:
            declaration = entry_point.load()
            if not isinstance(declaration, self.declaration):
                raise TypeError(
                    f"{entry_point.value} is {_described(declaration)}; expected"
                    f" {_article(self.declaration.__name__)}"
                )
            content = module_content(entry_point.module)
        except SimworldError as error:
            raise InputError(f"{what} cannot be used: {error}") from None
        except (Exception, SystemExit) as error:  # the boundary of another package's own code
            raise InputError(f"{what} cannot be loaded: {one_line(error)}") from None
        identity = f"{source if entry_point.dist else ''} {content}".strip()
        return Entry(name=name, declaration=declaration, identity=identity, source=source)


def one_line(error: BaseException) -> str:
    """`ValueError: what it says`, on one line and not too long."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return text if len(text) <= 300 else text[:299] + "…"


def _described(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return _article(type(value).__name__)


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'AEIOUaeiou' else 'a'} {word}"
