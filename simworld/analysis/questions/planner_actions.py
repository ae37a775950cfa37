"""What planners do: the action vectors that were used, and how much they vary."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simworld.analysis.questions.mean_scores import family_notes
from simworld.analysis.questions.query_source import QuerySource, json_value, to_frame, with_notes
from simworld.analysis.questions.scope import ScopeFilters, require_known, resolve_scope
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.results.language_quality import dispersion
from simworld.stats.intervals import mean_by_family
from store.sqlite_process import SqlRow


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlannerActs:
    """Acts of planners, in the order of their episodes' ids, which are hashes: a random sample, the
    same each time.
    """

    # episode, run, scenario, family, agent, seat, turn, kind, text, planner, encoder, noisy
    rows: list[SqlRow]
    actions: list[NDArray[np.float32]]
    states: list[NDArray[np.float32]]  # empty unless asked for
    notes: list[str]


def planner_actions(
    source: QuerySource, filters: ScopeFilters, *, planner: str | None, limit: int
) -> pd.DataFrame:
    """See `Analysis.planner_actions`."""
    acts = _read_acts(source, filters, planner, limit, states=False)
    groups: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
    for i, (row, action) in enumerate(zip(acts.rows, acts.actions, strict=True)):
        groups[row[4], row[9], row[10], action.size].append(i)
    rows, widest = [], 0
    for key, indices in sorted(groups.items()):
        vectors = np.stack([acts.actions[i] for i in indices]).astype(np.float64)
        rms = np.sqrt(np.square(vectors).mean(axis=1))
        mean = mean_by_family(
            (acts.rows[i][3], float(value)) for i, value in zip(indices, rms, strict=True)
        )
        noisy = sum(bool(acts.rows[i][11]) for i in indices) / len(indices)
        widest = max(widest, mean.families)
        numbers = (mean.mean, mean.low, mean.high, dispersion(vectors), _count_directions(vectors))
        rows.append((*key, *numbers, noisy, len(indices), mean.families))
    number = dict.fromkeys(
        ("rms", "low", "high", "dispersion", "directions", "noisy_share"), "float64"
    )
    columns = {"agent": "", "planner": "", "encoder": "", "size": "int64", **number}
    return with_notes(
        to_frame(rows, {**columns, "n": "int64", "families": "int64"}),
        [*family_notes(widest), *acts.notes],
    )


def action_vectors(
    source: QuerySource, filters: ScopeFilters, *, planner: str | None, states: bool, limit: int
) -> pd.DataFrame:
    """See `Analysis.action_vectors`."""
    acts = _read_acts(source, filters, planner, limit, states=states)
    columns = {
        **dict.fromkeys(("episode", "run", "scenario", "family", "agent", "seat"), ""),
        "turn": "int64",
        **dict.fromkeys(("kind", "text", "planner", "encoder"), ""),
        "noisy": "bool",
    }
    frame = to_frame(acts.rows, columns)
    frame["action"] = pd.Series(acts.actions, dtype="object")
    if states:
        frame["state"] = pd.Series(acts.states, dtype="object")
    return with_notes(frame, acts.notes)


def _read_acts(
    source: QuerySource, filters: ScopeFilters, planner: str | None, limit: int, *, states: bool
) -> _PlannerActs:
    scope = resolve_scope(source, **filters)
    planners = source.column("SELECT DISTINCT planner_id FROM plan_steps ORDER BY planner_id")
    chosen = planners if planner is None else [require_known(planner, planners, "planner")]
    acts = _PlannerActs(rows=[], actions=[], states=[], notes=[])
    for id_ in chosen:
        sql = f"""
SELECT e.id, e.run, e.scenario_name, e.family, s.agent_name, a.seat, a.turn, a.kind, a.text,
  p.planner_id, p.encoder_id, p.noisy, p.action, p.action_dtype, p.action_shape
  {", p.state, p.state_dtype, p.state_shape" if states else ""}
FROM episodes e
JOIN plan_steps p ON p.episode_id = e.id
JOIN acts a ON a.episode_id = p.episode_id AND a.turn = p.turn AND a.position = p.position
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
WHERE p.planner_id = :planner AND p.action IS NOT NULL
  AND {scope.episode_condition()} AND {scope.seat_condition()}
ORDER BY e.id, a.turn, a.position
{"LIMIT :most" if limit else ""}"""
        values = scope.params | {"planner": id_} | ({"most": limit + 1} if limit else {})
        for number, row in enumerate(source.stream(sql, values)):
            if limit and number == limit:
                acts.notes.append(
                    f"{counted(limit, 'act of a planner was', 'acts of a planner were')} read, "
                    "those of the first episode ids; 0 reads all"
                )
                break
            acts.rows.append(row[:12])
            acts.actions.append(_vector(*row[12:15]))
            if states:
                acts.states.append(_vector(*row[15:]))
    if not acts.rows:
        raise InputError(
            "no planner acted in these episodes; agents with `steering:` have planners"
        )
    return acts


def _vector(blob: bytes, dtype: str, shape: object) -> NDArray[np.float32]:
    vector: NDArray[np.float32] = np.frombuffer(blob, dtype=np.dtype(dtype)).reshape(
        json_value(shape)
    )
    return vector


def _count_directions(rows: NDArray[np.float64]) -> float | None:
    """How many directions n vectors (n, d) vary along, 1 to d: the participation ratio of their
    covariance's eigenvalues.
    """
    if len(rows) < 2:
        return None
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    return float(values.sum() ** 2 / np.square(values).sum()) if values.sum() > 0 else 0.0
