"""A tournament as its run in the store tells it, for those who have the database and not the file.

A run that no tournament began counts as one of all its agents, in all seats, with the defaults of a tournament file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from simworld.judging.spec import JudgeSpec
from simworld.tournament.loading import Tournament
from simworld.tournament.schema import TournamentFile
from store import Store


def stored_tournament(store: Store, run: str) -> Tournament:
    """The tournament that a run is, with the judges that have scored it; what was taken out of its file since is left out.

    Raises:
        InputError: there is no such run.
    """
    record = store.run_record(run)
    options: Mapping[str, Any] = record.settings.get("tournament", {})
    names = tuple(store.run_agents(run))
    agents = tuple(name for name in options.get("agents", names) if name in names)
    tie: Literal["measured"] | float = "measured" if options.get("tie") == "measured" else float(options.get("tie", 0))
    return Tournament(
        file=_file(run, record.seed, options),
        tie=tie,
        specs={},
        agents=agents,
        partners=tuple(options.get("partners", ())),
        focal=str(options.get("focal", "")),
        anchor=str(options.get("anchor", "")) or None,
        scenarios=tuple(store.scenario(id_) for id_ in store.run_scenarios(run)),
        judges=tuple(stored_judges(store, run)),
    )


def stored_judges(store: Store, run: str) -> list[JudgeSpec]:
    """The judges that have scored a run, each once whatever its rubrics, by name; people are none."""
    found: dict[str, JudgeSpec] = {}
    for record in store.judged_by(run):
        try:
            spec = JudgeSpec.model_validate(record.spec.get("spec"))
        except ValidationError:
            continue  # people, and judges of another version
        found.setdefault(spec.name, spec)
    return list(found.values())


def _file(run: str, seed: int, options: Mapping[str, Any]) -> TournamentFile:
    try:
        return TournamentFile.model_validate({**options, "name": run, "seed": seed})
    except ValidationError:  # no tournament, or one of another version
        return TournamentFile.model_construct(name=run, seed=seed, agents=(), scenarios=())
