"""Finding scenarios by name, file, folder, glob or tag: in the file system, then in the sets that
ship with simworld.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from scenarios.loader import LoadedScenario, load_document
from scenarios.personas import SUFFIXES, PersonaFinder, merge_broken_personas
from scenarios.scenario_file import PersonaFields
from scenarios.shipped_folders import EXAM_FOLDER, HELDOUT_FOLDER, LANGUAGES_FOLDER, LIBRARY_FOLDER
from simworld.core.errors import InputError, Problem
from simworld.yamlfile import (
    Document,
    did_you_mean,
    did_you_mean_file,
    glob_yaml_files,
    is_glob,
    list_yaml_files,
    load_yaml,
    parse,
    shorten,
    sort_problems,
    top_level_keys,
)

_log = logging.getLogger(f"simworld.{__name__}")
LIBRARY_SELECTORS = ("all", "library")
# found by the name of the set or of a scenario alone
NAMED_SETS = {"heldout": HELDOUT_FOLDER, "exam": EXAM_FOLDER, "languages": LANGUAGES_FOLDER}
PERSONA_ONLY_KEYS = frozenset(PersonaFields.model_fields) - {"name"}
SCENARIO_ONLY_KEYS = ("setting", "seats")
# beside them `seats` says where agents are compared, as in a tournament
_KEYS_OF_COMPARISONS = frozenset({"agent", "agents", "partners", "scenarios"})


@dataclass(slots=True)
class ScenarioSelection:
    """What some files hold: scenarios, a count of persona files, and every problem."""

    scenarios: list[LoadedScenario] = field(default_factory=list)
    file_count: int = 0  # of those with scenarios
    persona_count: int = 0
    problems: list[Problem] = field(default_factory=list)


def find_scenarios(selectors: Sequence[str]) -> tuple[LoadedScenario, ...]:
    """The scenarios that the selectors name, each once, in their order.

    A selector is `all` or `library` (the whole library), `heldout` or `exam` (the whole held-out
    set or test set), `languages` (a scenario in each language but English), a file, a folder
    (searched with its subfolders), a glob over files, `tag:WORD`, `kind:WORD`, a name or a glob
    over names of the library, or a name of one of the other sets. The name of a template stands
    for all its variants. `NAME.yaml` in the working folder goes before the library, and
    `NAME.VARIANT` is one of its variants. Raises InputError with every problem.
    """
    personas = PersonaFinder()
    seen_paths: dict[str, None] = {}
    chosen: dict[tuple[str, str], LoadedScenario] = {}
    problems: list[Problem] = []
    shipped = _ShippedScenarios(personas)
    for selector in selectors:
        try:
            files = _selected_files(selector)
        except InputError as error:
            problems += error.problems
            continue
        if files is not None:
            new_files = [path for path in files if os.path.realpath(path) not in seen_paths]
            seen_paths |= dict.fromkeys(os.path.realpath(path) for path in new_files)
            selection = read_files(new_files, personas)
            problems += selection.problems
            if not selection.scenarios and not selection.problems and len(new_files) == len(files):
                problems.append(Problem("holds personas but no scenario", selector))
            matching = selection.scenarios
        elif (variant_file := _file_of_variant(selector)) is not None:
            selection = read_files([variant_file], personas)
            problems += selection.problems
            matching = [
                loaded
                for loaded in selection.scenarios
                if loaded.scenario.name == Path(selector).name
            ]
            if not matching and not selection.problems:
                variants = sorted(loaded.scenario.name for loaded in selection.scenarios)
                hint = did_you_mean(Path(selector).name, variants)
                message = f"no variant '{shorten(selector)}' in this file{hint}"
                problems.append(Problem(message, str(variant_file)))
        elif not (matching := shipped.matching(selector)):
            problems.append(Problem(_not_found_message(selector, shipped)))
        _log.info("scenarios of %r: %d", selector, len(matching))
        for loaded in matching:
            _log.debug("scenario %r is in %s", loaded.scenario.name, loaded.path)
        chosen |= {
            (os.path.realpath(loaded.path), loaded.scenario.name): loaded for loaded in matching
        }
    if not selectors:
        problems.append(Problem("name a scenario, a file or a folder; 'all' is the whole library"))
    problems = merge_broken_personas([*problems, *name_clashes(chosen.values())])
    if problems:
        raise InputError(sort_problems(problems))
    return tuple(chosen.values())


def read_files(paths: Iterable[Path], personas: PersonaFinder) -> ScenarioSelection:
    """What the files hold; persona files are validated and counted. Problems are collected, not
    raised.
    """
    selection = ScenarioSelection()
    for path in paths:
        try:
            document = load_yaml(path)
            if is_persona_file(document, path):
                parse(document, PersonaFields)
                selection.persona_count += 1
            else:
                selection.scenarios += load_document(document, path, personas)
                selection.file_count += 1
        except InputError as error:
            selection.problems += error.problems
    selection.problems = merge_broken_personas(selection.problems)
    return selection


def scenario_files(folder: Path) -> list[Path]:
    """The YAML files of a folder and its subfolders, hidden ones left out. Raises InputError if
    there are none.
    """
    files = list_yaml_files(folder)
    if not files:
        raise InputError("no YAML file in this folder", str(folder))
    return files


def relevant_files(files: Sequence[Path]) -> list[Path]:
    """The files whose keys mark them as scenarios or personas; all of them if none is, so that
    their problems are reported.
    """
    recognised = [path for path in files if _is_scenario_or_persona(path)]
    return recognised or list(files)


def _is_scenario_or_persona(path: Path) -> bool:
    keys, is_list = top_level_keys(path)
    by_keys = not is_list and (has_scenario_keys(keys) or bool(keys & PERSONA_ONLY_KEYS))
    return by_keys or path.parent.name in ("scenarios", "personas")


def has_scenario_keys(keys: frozenset[str]) -> bool:
    """Whether the top-level keys of a file are those of a scenario; the `seats` of a tournament are
    none of its.
    """
    return "setting" in keys or ("seats" in keys and not keys & _KEYS_OF_COMPARISONS)


def is_persona_file(document: Document, path: Path) -> bool:
    """Whether a file holds a persona: by its folder's name, else by its fields."""
    data = document.data
    if isinstance(data, dict) and any(name in data for name in SCENARIO_ONLY_KEYS):
        return False
    return path.parent.name == "personas" or (
        isinstance(data, dict) and any(name in data for name in PERSONA_ONLY_KEYS)
    )


def name_clashes(scenarios: Iterable[LoadedScenario]) -> list[Problem]:
    """Different files whose scenarios have the same name."""
    problems = []
    first: dict[str, LoadedScenario] = {}
    for loaded in scenarios:
        name = loaded.scenario.name
        if name in first and os.path.realpath(first[name].path) != os.path.realpath(loaded.path):
            message = f"name: '{name}' is already the name of the scenario in {first[name].path}"
            problems.append(Problem(message, loaded.where))
        first.setdefault(name, loaded)
    return problems


@dataclass(slots=True)
class _ShippedScenarios:
    """The library and the other sets, each read when first needed."""

    personas: PersonaFinder
    _read: dict[Path, tuple[LoadedScenario, ...]] = field(default_factory=dict)

    @property
    def library(self) -> tuple[LoadedScenario, ...]:
        return self._read_set(LIBRARY_FOLDER)

    @property
    def others(self) -> tuple[LoadedScenario, ...]:
        return tuple(loaded for folder in NAMED_SETS.values() for loaded in self._read_set(folder))

    def _read_set(self, folder: Path) -> tuple[LoadedScenario, ...]:
        if folder not in self._read:
            self._read[folder] = read_folder(folder, self.personas)
        return self._read[folder]

    def matching(self, selector: str) -> list[LoadedScenario]:
        """The scenarios that the selector names. Tags, kinds and globs reach the library alone: the
        other sets are named.
        """
        if selector in NAMED_SETS:
            return list(self._read_set(NAMED_SETS[selector]))
        library_matches = _library_matches(selector, self.library)
        if library_matches or selector.startswith(("tag:", "kind:")):
            return library_matches
        return [
            loaded for loaded in self.others if selector in (loaded.scenario.name, loaded.template)
        ]


def read_folder(folder: Path, personas: PersonaFinder | None = None) -> tuple[LoadedScenario, ...]:
    """Every scenario of a folder, by file name. Raises InputError with every problem."""
    selection = read_files(scenario_files(folder), personas or PersonaFinder())
    if selection.problems:
        raise InputError(sort_problems(selection.problems))
    return tuple(selection.scenarios)


def _selected_files(selector: str) -> list[Path] | None:
    """The files that a selector names, or None if it must be a name of a shipped set."""
    if selector in (*LIBRARY_SELECTORS, *NAMED_SETS) or selector.startswith(("tag:", "kind:")):
        return None
    path = Path(selector)
    if "\0" in selector:
        raise InputError("a file's name cannot hold a NUL character")
    if os.path.isdir(path):  # Path.is_dir raises for a name that is too long
        return relevant_files(
            [file for file in scenario_files(path) if not _in_personas_folder(file, path)]
        )
    if os.path.isfile(path):
        return [path]
    if is_glob(selector):
        files = glob_yaml_files(selector)
        if files or ("/" not in selector and path.suffix not in SUFFIXES):
            return files or None
        raise InputError("no YAML file matches", selector)
    if path.suffix in SUFFIXES or (len(path.parts) > 1 and not _file_of_variant(selector)):
        # reading a pipe or a dead link says what it is
        return [path] if os.path.lexists(path) else _raise_no_file(selector)
    file_of_name = Path(f"{selector}.yaml")
    return [file_of_name] if os.path.isfile(file_of_name) else None


def _file_of_variant(selector: str) -> Path | None:
    """The file `NAME.yaml`, where the selector is `NAME.VARIANT` or `FOLDER/NAME.VARIANT`."""
    path = Path(selector)
    if is_glob(selector) or path.suffix in SUFFIXES:
        return None
    words = path.name.split(".")
    files = (path.parent / f"{'.'.join(words[:end])}.yaml" for end in range(len(words) - 1, 0, -1))
    return next((file for file in files if os.path.isfile(file)), None)


def _in_personas_folder(path: Path, folder: Path) -> bool:
    return "personas" in path.relative_to(folder).parts[:-1]


def _raise_no_file(selector: str) -> list[Path]:
    message = f"no such file or folder{did_you_mean_file(selector, 'scenarios')}"
    raise InputError(message, selector)


def _library_matches(selector: str, library: Sequence[LoadedScenario]) -> list[LoadedScenario]:
    matches: Callable[[LoadedScenario], bool]
    if selector in LIBRARY_SELECTORS:
        return list(library)
    if selector.startswith("tag:"):
        matches = lambda loaded: selector[4:] in loaded.scenario.tags  # noqa: E731 - one of three small tests
    elif selector.startswith("kind:"):
        matches = lambda loaded: selector[5:] == loaded.scenario.kind  # noqa: E731
    else:
        matches = lambda loaded: any(  # noqa: E731
            fnmatchcase(name, selector) for name in (loaded.scenario.name, loaded.template)
        )
    return [loaded for loaded in library if matches(loaded)]


def _not_found_message(selector: str, shipped: _ShippedScenarios) -> str:
    scenarios = [loaded.scenario for loaded in shipped.library]
    if selector.startswith("tag:"):
        tags = {tag for scenario in scenarios for tag in scenario.tags}
        return (
            "no scenario of the library has the tag"
            f" '{selector[4:]}'{did_you_mean(selector[4:], sorted(tags))}"
        )
    if selector.startswith("kind:"):
        kinds = {scenario.kind for scenario in scenarios if scenario.kind}
        return (
            "no scenario of the library is of the kind"
            f" '{selector[5:]}'{did_you_mean(selector[5:], sorted(kinds))}"
        )
    everything = (*shipped.library, *shipped.others)
    names = [
        *(loaded.scenario.name for loaded in everything),
        *(loaded.template for loaded in everything),
    ]
    hint = (
        did_you_mean_file(selector, "scenarios", known=(*dict.fromkeys(names),))
        or "; `simworld scenario list` shows the library"
    )
    return f"no file, folder or library scenario '{shorten(selector)}'{hint}"
