"""A tournament as its run in the store tells it, for those who have the database and not the file.

A run that no tournament began counts as one of all its agents, in all seats, with the defaults of a
tournament file.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.tournament_file import TournamentFile
from store import JudgeRecord, Store


def stored_tournament(store: Store, run: str) -> Tournament:
    """The tournament that a run is, without specs of agents and judges; what was taken out of its
    file since is left out.

    Raises:
        InputError: there is no such run.
    """
    record = store.run_record(run)
    options: Mapping[str, Any] = record.settings.get("tournament", {})
    names = tuple(store.run_agents(run))
    agents = tuple(name for name in options.get("agents", names) if name in names)
    tie: Literal["measured"] | float = (
        "measured" if options.get("tie") == "measured" else float(options.get("tie", 0))
    )
    return Tournament(
        file=_stored_file(run, record.seed, options),
        tie=tie,
        specs={},
        agents=agents,
        partners=tuple(options.get("partners", ())),
        focal=str(options.get("focal", "")),
        anchor=str(options.get("anchor", "")) or None,
        scenarios=tuple(store.scenario(id_) for id_ in store.run_scenarios(run)),
        judges=(),
    )


def stored_judges(store: Store, run: str) -> dict[str, tuple[str, ...]]:
    """The judges that have scored a run, people too: name → ids, one for each rubric.

    Judges that share a name but not all that makes them (model, method, version) are told apart by
    a piece of their ids.
    """
    scored = set(store.scoring_judge_ids(run))
    by_identity: dict[tuple[str, str], list[JudgeRecord]] = defaultdict(list)
    for record in store.judges():
        if record.id in scored:
            identity = {
                key: value
                for key, value in record.spec.items()
                if key not in ("rubric", "measured")
            }
            by_identity[record.name, json.dumps(identity, sort_keys=True)].append(record)
    times_named = Counter(name for name, _ in by_identity)
    ids = {}
    for (name, _), records in by_identity.items():
        id_piece = records[0].id.rpartition("@")[2][:8]
        ids[name if times_named[name] == 1 else f"{name} {id_piece}"] = tuple(
            record.id for record in records
        )
    return ids


def _stored_file(run: str, seed: int, options: Mapping[str, Any]) -> TournamentFile:
    try:
        return TournamentFile.model_validate({**options, "name": run, "seed": seed})
    except ValidationError:  # no tournament, or one of another version
        return TournamentFile.model_construct(name=run, seed=seed, agents=(), scenarios=())
