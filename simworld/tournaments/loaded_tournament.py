"""A tournament ready to be planned: the file with the agents, scenarios and judges that it names,
or everything wrong with it.
"""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar

from agents import HumanSpec, LoadedSpec, agent_content, find_specs
from scenarios import find_scenarios
from scenarios.rubrics import SUFFIXES
from simworld.core.errors import InputError, Problem
from simworld.core.measures import OVERALL
from simworld.core.scenario import Scenario
from simworld.judging.judge import scored_dimension_names
from simworld.judging.judge_spec import JudgeSpec, load_judge
from simworld.tournaments.tournament_file import TournamentFile
from simworld.yamlfile import (
    Document,
    YamlPath,
    data_document,
    did_you_mean,
    did_you_mean_file,
    glob_yaml_files,
    is_glob,
    load_text,
    load_yaml,
    parse,
    shorten,
    sort_problems,
)

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tournament:
    """A tournament file with everything that it names."""

    file: TournamentFile
    tie: Literal["measured"] | float  # the file's, or its default
    specs: dict[str, LoadedSpec]  # by agent name, partners too
    agents: tuple[str, ...]  # names of those who are compared
    partners: tuple[str, ...]  # names
    focal: str  # name, or empty
    anchor: str | None  # name
    scenarios: tuple[Scenario, ...]
    judges: tuple[JudgeSpec, ...]

    @property
    def name(self) -> str:
        """Of the tournament, and of its run."""
        return self.file.name

    def judge(self, name: str | None = None) -> JudgeSpec:
        """The judge of this name; by default the first. Raises InputError."""
        names = [judge.name for judge in self.judges]
        if name is not None and name not in names:
            raise InputError(
                f"tournament {self.name!r} has no judge {name!r}; there are {', '.join(names)}"
            )
        return self.judges[0] if name is None else self.judges[names.index(name)]


def load_tournament(path: str) -> Tournament:
    """The tournament of a file, or of a name: `NAME.yaml` here or in `tournaments/`, or a shipped
    one.

    Agents, scenarios and judges are looked for beside it, then as everywhere.

    Raises:
        InputError: the file, or anything that it names, is wrong; every problem with its place.
    """
    document = _find_document(path)
    return _TournamentReader(document, parse(document, TournamentFile)).read()


def read_tournament(data: Mapping[str, Any]) -> Tournament:
    """The tournament of the keys of such a file, given in Python. Raises InputError with every
    problem.
    """
    with data_document(dict(data), "tournament") as document:
        return _TournamentReader(document, parse(document, TournamentFile)).read()


def shipped_tournaments() -> tuple[str, ...]:
    """The names of the shipped tournaments, sorted."""
    return tuple(
        sorted(
            p.name.removesuffix(".yaml") for p in _library().iterdir() if p.name.endswith(".yaml")
        )
    )


def _find_document(path: str) -> Document:
    if not path.endswith(SUFFIXES):
        candidates = [
            name for name in (f"{path}.yaml", f"tournaments/{path}.yaml") if os.path.lexists(name)
        ]
        if not candidates and path in shipped_tournaments():
            _log.info("tournament %r is a shipped one", path)
            return load_text((_library() / f"{path}.yaml").read_text("utf-8"), f"{path}.yaml")
        if not candidates:
            hint = (
                did_you_mean_file(path, "tournaments", known=shipped_tournaments())
                or f"; the library has {', '.join(shipped_tournaments())}"
            )
            raise InputError(
                f"no tournament {path!r}: neither {path}.yaml nor tournaments/{path}.yaml is"
                f" here{hint}"
            )
        path = candidates[0]
    if not os.path.lexists(path):
        hint = (
            did_you_mean_file(path, "tournaments", known=shipped_tournaments())
            or "; `simworld tournament new NAME` writes one"
        )
        raise InputError(f"no tournament file {shorten(path)}{hint}")
    _log.info("tournament is in %s", path)
    return load_yaml(Path(path))


def _library() -> Traversable:
    return resources.files("simworld.tournaments") / "library"


class _TournamentReader:
    def __init__(self, document: Document, file: TournamentFile) -> None:
        self._document, self._file = document, file
        self._folder = Path(document.name).parent
        self._problems: list[Problem] = []

    def read(self) -> Tournament:
        """Everything, or every problem."""
        file = self._file
        loaded = self._load_each("agents", file.agents, lambda name: find_specs([name])[0])
        partners = self._load_each("partners", file.partners, lambda name: find_specs([name])[0])
        scenarios = self._load_each(
            "scenarios", file.scenarios, lambda name: find_scenarios([name])
        )
        judges = self._load_each("judges", file.judges, lambda name: load_judge(name)[0])
        names = {selector: spec.spec.name for selector, spec in {**partners, **loaded}.items()}
        agents = tuple(dict.fromkeys(names[selector] for selector in loaded))
        specs = {spec.spec.name: spec for spec in (*loaded.values(), *partners.values())}
        scenario_by_id = {
            variant.scenario.id: variant.scenario
            for variants in scenarios.values()
            for variant in variants
        }
        self._check_format(len(file.agents))
        self._check_agents({**partners, **loaded}, specs)
        focal, anchor = (self._agent_name(key, names, agents) for key in ("focal", "anchor"))
        if not any(problem for problem in self._problems):
            self._check_scenarios(tuple(scenario_by_id.values()))
            self._check_judges(tuple(judges.values()), tuple(scenario_by_id.values()))
        if self._problems:
            raise InputError(sort_problems(dict.fromkeys(self._problems)))
        judged_twice = all(judge.samples > 1 for judge in judges.values())
        return Tournament(
            file=file,
            tie=file.tie if file.tie is not None else "measured" if judged_twice else 0.0,
            specs=specs,
            agents=agents,
            partners=tuple(dict.fromkeys(names[selector] for selector in partners)),
            focal=focal,
            anchor=anchor or None,
            scenarios=tuple(scenario_by_id.values()),
            judges=tuple(judges.values()),
        )

    def _report(self, loc: YamlPath, message: str) -> None:
        self._problems.append(self._document.problem(loc, message))

    def _load_each(self, key: str, names: Sequence[str], load: Callable[[str], T]) -> dict[str, T]:
        """Given name → what it names; problems that have no place of their own get that of the
        name.
        """
        loaded: dict[str, T] = {}
        for i, name in enumerate(names):
            if name in loaded:
                self._report((key, i), f"{name!r} is named twice")
                continue
            path = name
            try:
                path = self._prefer_beside(name)
                loaded[name] = load(path)
            except InputError as error:
                for problem in error.problems:
                    if problem.where in ("", path):
                        self._report((key, i), str(problem))
                    else:
                        self._problems.append(problem)
        return loaded

    def _prefer_beside(self, name: str) -> str:
        """A file, folder or glob beside the tournament goes before one in the working folder."""
        beside = self._folder / name
        looks_like_a_path = name.endswith(SUFFIXES) or len(Path(name).parts) > 1
        if is_glob(name) and glob_yaml_files(name, self._folder):
            return str(Path(glob.escape(str(self._folder))) / name)
        return str(beside) if looks_like_a_path and os.path.lexists(beside) else name

    def _agent_name(self, key: str, names: dict[str, str], agents: Sequence[str]) -> str:
        agent: str = getattr(self._file, key)
        name = names.get(agent, agent)
        if name and agents and name not in agents:
            hint = did_you_mean(name, agents) or f"; there are {', '.join(agents)}"
            self._report((key,), f"{agent!r} is not one of the agents{hint}")
        return name

    def _check_agents(self, loaded: dict[str, LoadedSpec], specs: dict[str, LoadedSpec]) -> None:
        name_by_content: dict[str, str] = {}
        for spec in loaded.values():
            if isinstance(spec.spec, HumanSpec):
                self._report(
                    ("agents",), f"{spec.spec.name!r} is a person; a tournament plays by itself"
                )
            if specs[spec.spec.name].source.resolve() != spec.source.resolve():
                self._report(
                    ("agents",), f"two different agents are called {spec.spec.name!r}; rename one"
                )
        for name, spec in specs.items():
            other = name_by_content.setdefault(repr(agent_content(spec)), name)
            if other != name:
                self._report(
                    ("agents",),
                    f"{other!r} and {name!r} are the same agent under two names; leave one out",
                )

    def _check_format(self, agents: int) -> None:
        file = self._file
        if agents < 2:
            self._report(("agents",), "one agent is given; a tournament needs at least two")
        required = {"partners": ("fixed_partner", file.partners), "focal": ("focal", file.focal)}
        for key, (form, value) in {**required, "rounds": ("swiss", file.rounds)}.items():
            if file.format == form and not value:
                self._report(("format",), f"{form} needs `{key}`")
            if file.format != form and value:
                self._report((key,), f"belongs to the format {form}; this format is {file.format}")
        if isinstance(file.tie, float) and not 0 <= file.tie <= 1:
            self._report(
                ("tie",),
                f"found {file.tie:g}, expected a share of the range between 0 and 1, or 'measured'",
            )
        if file.format == "swiss" and file.rounds and file.rounds > max(1, agents // 2):
            message = (
                f"found {file.rounds}, expected at most half as many as agents ({agents // 2});"
                " else use round_robin"
            )
            self._report(("rounds",), message)
        if file.self_play or file.format == "fixed_partner":
            return
        if agents == 2 or (file.format, file.rounds) == ("swiss", 1):
            self._report(
                ("self_play",),
                "two agents never meet the same partner without it, so there would be no games",
            )
        elif file.format == "focal":
            message = (
                "nobody meets the partners of the focal agent without it, so that one would have no"
                " games"
            )
            self._report(("self_play",), message)

    def _check_scenarios(self, scenarios: Sequence[Scenario]) -> None:
        id_by_name: dict[str, str] = {}
        for scenario in scenarios:
            if id_by_name.setdefault(scenario.name, scenario.id) != scenario.id:
                self._report(
                    ("scenarios",),
                    f"two different scenarios are called {scenario.name!r}; rename one",
                )

    def _check_judges(self, judges: Sequence[JudgeSpec], scenarios: Sequence[Scenario]) -> None:
        allowed: dict[str, None] = {}
        for judge in judges:
            try:
                allowed |= dict.fromkeys(scored_dimension_names(judge, scenarios))
            except InputError as error:
                self._problems += error.problems
                continue
            if self._file.tie == "measured" and judge.samples < 2:
                self._report(
                    ("tie",),
                    f"judge {judge.name!r} takes one sample, so nothing is measured; give a number",
                )
        for i, name in enumerate(self._file.dimensions):
            if allowed and name not in allowed and name != OVERALL:
                hint = did_you_mean(name, tuple(allowed)) or f"; there are {', '.join(allowed)}"
                self._report(("dimensions", i), f"no dimension {name!r}{hint}")
