"""What planners do: the action vectors that were used, and how much they vary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simworld.analysis.questions.mean_scores import family_notes
from simworld.analysis.questions.query_source import QuerySource, json_value, noted, table
from simworld.analysis.questions.scope import choose, scope
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.results.language_quality import dispersion
from simworld.stats.intervals import mean_by_family
from store.sqlite_process import SqlRow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """Acts of planners, in the order of their episodes' ids, which are hashes: a random sample, the
    same each time.
    """

    # episode, run, scenario, family, agent, seat, turn, kind, text, planner, encoder, noisy
    rows: list[SqlRow]
    actions: list[NDArray[np.float32]]
    states: list[NDArray[np.float32]]  # empty unless asked for
    notes: list[str]


def actions(
    source: QuerySource,
    *,
    planner: str | None,
    run: str | None,
    scenario: str | None,
    family: str | None,
    agents: Sequence[str],
    most: int,
) -> pd.DataFrame:
    """See `Analysis.planner_actions`."""
    steps = _read(source, planner, run, scenario, family, agents, most, states=False)
    groups: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
    for place, (row, action) in enumerate(zip(steps.rows, steps.actions, strict=True)):
        groups[row[4], row[9], row[10], action.size].append(place)
    rows, widest = [], 0
    for key, places in sorted(groups.items()):
        vectors = np.stack([steps.actions[place] for place in places]).astype(np.float64)
        rms = np.sqrt(np.square(vectors).mean(axis=1))
        mean = mean_by_family(
            (steps.rows[place][3], float(value)) for place, value in zip(places, rms, strict=True)
        )
        noisy = sum(bool(steps.rows[place][11]) for place in places) / len(places)
        widest = max(widest, mean.families)
        numbers = (mean.mean, mean.low, mean.high, dispersion(vectors), _directions(vectors))
        rows.append((*key, *numbers, noisy, len(places), mean.families))
    number = dict.fromkeys(
        ("rms", "low", "high", "dispersion", "directions", "noisy_share"), "float64"
    )
    columns = {"agent": "", "planner": "", "encoder": "", "size": "int64", **number}
    return noted(
        table(rows, {**columns, "n": "int64", "families": "int64"}),
        [*family_notes(widest), *steps.notes],
    )


def vectors(
    source: QuerySource,
    *,
    planner: str | None,
    run: str | None,
    scenario: str | None,
    family: str | None,
    agents: Sequence[str],
    states: bool,
    limit: int,
) -> pd.DataFrame:
    """See `Analysis.action_vectors`."""
    steps = _read(source, planner, run, scenario, family, agents, limit, states=states)
    names = (
        "episode",
        "run",
        "scenario",
        "family",
        "agent",
        "seat",
        "turn",
        "kind",
        "text",
        "planner",
        "encoder",
        "noisy",
    )
    frame = table(steps.rows, {**dict.fromkeys(names, ""), "turn": "int64", "noisy": "bool"})
    frame["action"] = pd.Series(steps.actions, dtype="object")
    if states:
        frame["state"] = pd.Series(steps.states, dtype="object")
    return noted(frame, steps.notes)


def _read(
    source: QuerySource,
    planner: str | None,
    run: str | None,
    scenario: str | None,
    family: str | None,
    agents: Sequence[str],
    most: int,
    *,
    states: bool,
) -> _Steps:
    among = scope(source, run=run, scenario=scenario, family=family, agents=agents)
    known = source.column("SELECT DISTINCT planner_id FROM plan_steps ORDER BY planner_id")
    chosen = known if planner is None else [choose(planner, known, "planner")]
    steps = _Steps(rows=[], actions=[], states=[], notes=[])
    for id_ in chosen:
        sql = f"""
SELECT e.id, e.run, e.scenario_name, e.family, s.agent_name, a.seat, a.turn, a.kind, a.text,
  p.planner_id, p.encoder_id, p.noisy, p.action, p.action_dtype, p.action_shape
  {", p.state, p.state_dtype, p.state_shape" if states else ""}
FROM episodes e
JOIN plan_steps p ON p.episode_id = e.id
JOIN acts a ON a.episode_id = p.episode_id AND a.turn = p.turn AND a.position = p.position
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
WHERE p.planner_id = :planner AND p.action IS NOT NULL AND {among.episodes()} AND {among.seats()}
ORDER BY e.id, a.turn, a.position
{"LIMIT :most" if most else ""}"""
        values = among.values | {"planner": id_} | ({"most": most + 1} if most else {})
        for number, row in enumerate(source.stream(sql, values)):
            if most and number == most:
                steps.notes.append(
                    f"{counted(most, 'act of a planner was', 'acts of a planner were')} read, "
                    "those of the first episode ids; 0 reads all"
                )
                break
            steps.rows.append(row[:12])
            steps.actions.append(_vector(*row[12:15]))
            if states:
                steps.states.append(_vector(*row[15:]))
    if not steps.rows:
        raise InputError(
            "no planner acted in these episodes; agents with `steering:` have planners"
        )
    return steps


def _vector(blob: bytes, dtype: str, shape: object) -> NDArray[np.float32]:
    vector: NDArray[np.float32] = np.frombuffer(blob, dtype=np.dtype(dtype)).reshape(
        json_value(shape)
    )
    return vector


def _directions(rows: NDArray[np.float64]) -> float | None:
    """How many directions n vectors (n, d) vary along, 1 to d: the participation ratio of their
    covariance's eigenvalues.
    """
    if len(rows) < 2:
        return None
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    return float(values.sum() ** 2 / np.square(values).sum()) if values.sum() > 0 else 0.0
