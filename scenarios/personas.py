"""Finding personas: beside the scenario's file, then in the working folder, then in the library."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scenarios.scenario_file import SLUG, PersonaFields
from scenarios.shipped_folders import PERSONAS_FOLDER, SHIPPED_FOLDERS
from simworld.core.errors import InputError, Problem
from simworld.core.scenario import Persona
from simworld.yamlfile import did_you_mean, join_with_and, load_yaml, parse, shorten

_log = logging.getLogger(f"simworld.{__name__}")
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPersona:
    """A persona and the file it was read from."""

    persona: Persona
    path: Path


@dataclass(slots=True)
class PersonaFinder:
    """Reads each persona file once; make one for each selection of scenarios."""

    working_folder: Path = field(default_factory=Path)
    _read: dict[Path, LoadedPersona | InputError] = field(default_factory=dict)
    _reported: set[Path] = field(default_factory=set)

    def find(
        self, name: str, beside: Path
    ) -> tuple[LoadedPersona | None, tuple[Problem, ...], str, Path | None]:
        """The persona `name` for a scenario file in the folder `beside`.

        Returns:
            The persona or None; the problems of its own file, reported once; what to say at the
            seat if there is none; its file.
        """
        folders = self.search_folders(beside)
        if SLUG.fullmatch(name):
            for folder in folders:
                for suffix in SUFFIXES:
                    path = folder / f"{name}{suffix}"
                    if os.path.isfile(path):  # Path.is_file raises for a name that is too long
                        return self._load(path)
        known = [
            path.stem
            for folder in folders
            for path in _yaml_files_in(folder)
            if _is_persona(folder, path)
        ]
        return (
            None,
            (),
            (
                f"no persona '{shorten(name)}' beside the file, in personas/ or in the"
                f" library{did_you_mean(name, known)}"
            ),
            None,
        )

    def search_folders(self, beside: Path) -> Sequence[Path]:
        """Where personas are looked for, first to last. Shipped scenarios use the library's
        personas alone.
        """
        folders = [beside / "personas", beside, self.working_folder / "personas", PERSONAS_FOLDER]
        if os.path.realpath(beside) in map(os.path.realpath, SHIPPED_FOLDERS):
            folders = [PERSONAS_FOLDER]
        return folders

    def _load(
        self, path: Path
    ) -> tuple[LoadedPersona | None, tuple[Problem, ...], str, Path | None]:
        if path not in self._read:
            try:
                self._read[path] = LoadedPersona(persona=load_persona(path), path=path)
                _log.debug("persona %r is in %s", path.stem, path)
            except InputError as error:
                self._read[path] = error
        loaded = self._read[path]
        if isinstance(loaded, LoadedPersona):
            return loaded, (), "", path
        problems = () if path in self._reported else loaded.problems
        self._reported.add(path)
        return None, problems, f"the persona's file {path} has problems of its own", path


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPersona(Problem):
    """A problem of a seat: its persona's file has problems, which are reported with that file's
    lines.
    """

    file: Path


def merge_broken_personas(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without duplicates. A broken persona that several seats share is reported once,
    with the names of the other files.
    """
    distinct = list(dict.fromkeys(problems))
    files_using: dict[Path, dict[str, None]] = {}
    for problem in distinct:
        if isinstance(problem, BrokenPersona):
            files_using.setdefault(problem.file, {})[problem.where.split(":")[0]] = None
    merged: list[Problem] = []
    for problem in distinct:
        if not isinstance(problem, BrokenPersona):
            merged.append(problem)
        elif problem.file in files_using:
            _, *others = files_using.pop(problem.file)
            also_used_by = (
                f"; {join_with_and(others)} {'use' if len(others) > 1 else 'uses'} it too"
                if others
                else ""
            )
            merged.append(replace(problem, message=problem.message + also_used_by))
    return merged


def load_persona(path: Path) -> Persona:
    """The persona in a file. Raises InputError with every problem."""
    return build_persona(parse(load_yaml(path), PersonaFields))


def build_persona(fields: PersonaFields) -> Persona:
    """The core's persona."""
    return Persona(**{name: getattr(fields, name) for name in PersonaFields.model_fields})


def _yaml_files_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    except OSError:
        return []


def _is_persona(folder: Path, path: Path) -> bool:
    # Only a folder of personas is sure to hold nothing else; it also keeps suggestions to what was
    # meant to be found.
    return folder.name == "personas" and bool(SLUG.fullmatch(path.stem))
