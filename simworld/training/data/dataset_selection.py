"""A query selects from a store one kind of vectors, and whose verdicts count; or one line says why
it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simworld.core.counts import counted
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.training.data.dataset_query import DataQuery
from store import JudgeRecord, TraceOverview, VectorKind

HEX = 12  # of an id, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSelection:
    """What a query selects."""

    encoder_id: str
    d_state: int
    d_action: int  # 0: states only
    # judge id → dimension → weight; empty where no judge is asked
    weights: Mapping[str, Mapping[str, float]]


def select_data(
    query: DataQuery, found: TraceOverview, judges: Sequence[JudgeRecord]
) -> DatasetSelection:
    """Selects what a dataset is made from. Raises InputError where the query finds nothing, vectors
    that do not fit together, or several judges.
    """
    kind = _one_kind(query, found)
    judged = query.reward.measure == "judged" and not query.states_only
    return DatasetSelection(
        encoder_id=kind.encoder_id,
        d_state=kind.state_shape[0],
        d_action=0 if query.states_only or kind.action_shape is None else kind.action_shape[0],
        weights=_weights(query, found, {judge.id: judge for judge in judges}) if judged else {},
    )


def _one_kind(query: DataQuery, found: TraceOverview) -> VectorKind:
    failed = found.endings.get(Ending.failed, 0)
    episodes = sum(found.endings.values())
    if not episodes:
        raise InputError(f"no episode fits the query{_shown(query)}; see `simworld episode list`")
    if episodes == failed:
        raise InputError(
            f"{'the one episode that fits' if failed == 1 else f'all {failed:,} episodes that fit'}"
            " the query failed; simworld run --retry-failed plays them again"
        )
    if not found.kinds:
        hint = (
            "; --encoder and --planner take beginnings of ids"
            if query.encoders or query.planners
            else ""
        )
        raise InputError(
            f"none of the {counted(episodes - failed, 'episode that fits', 'episodes that fit')}"
            f" the query has vectors that do{hint}; play with a steered agent, or with"
            " `record_states: true`"
        )
    fitting = [kind for kind in found.kinds if query.states_only or kind.action_shape is not None]
    if not fitting:
        raise InputError(
            "these episodes hold states but no actions; play with a steered agent, or ask for"
            " --states-only"
        )
    shapes = {
        (kind.encoder_id, kind.state_shape, None if query.states_only else kind.action_shape): kind
        for kind in fitting
    }
    if len(shapes) > 1:
        listed = "; ".join(sorted(_told(kind) for kind in fitting))
        raise InputError(
            f"these vectors do not fit together: {listed}; choose with --encoder, --planner,"
            " --agent or --run"
        )
    (kind,) = shapes.values()
    if len(kind.state_shape) != 1 or len(kind.action_shape or (0,)) != 1:
        raise InputError(f"a state and an action are vectors, found {_told(kind)}")
    return kind


def _weights(
    query: DataQuery, found: TraceOverview, judges: Mapping[str, JudgeRecord]
) -> Mapping[str, Mapping[str, float]]:
    there = "; ".join(
        f"{id_} ({counted(count, 'episode')})" for id_, count in sorted(found.judges.items())
    )
    if not there:
        raise InputError(
            "none of these episodes has been judged; simworld judge run judges them, or choose a"
            " reward that needs no judge"
        )
    ids = set() if query.judges else set(found.judges)
    for asked in query.judges:
        fit = {asked} & found.judges.keys() or {
            id_ for id_ in found.judges if judges[id_].name == asked
        }
        if not fit:
            raise InputError(
                f"no judgement by {asked!r} among these episodes; they were judged by {there}"
            )
        ids |= fit
    if len(ids) > 1 and not query.mix_judges:
        raise InputError(
            f"these episodes were judged by several: {there}; say which by its id with --judge"
        )
    return {id_: _of_judge(query, judges[id_]) for id_ in sorted(ids)}


def _of_judge(query: DataQuery, judge: JudgeRecord) -> Mapping[str, float]:
    dimensions = judge.spec.get("rubric", {}).get("dimensions", ())
    own = {dimension["name"]: float(dimension["weight"]) for dimension in dimensions}
    given = query.reward.weights
    if unknown := [name for name in given if own and name not in own]:
        raise InputError(
            f"judge {judge.id} knows no dimension {', '.join(unknown)}; it has {', '.join(own)}"
        )
    if not (given or sum(own.values())):
        raise InputError(
            f"judge {judge.id} was stored without a rubric's weights; give --weight"
            " DIMENSION=NUMBER"
        )
    return given or own


def _told(kind: VectorKind) -> str:
    action = "no action" if kind.action_shape is None else f"actions {list(kind.action_shape)}"
    return (
        f"encoder {kind.encoder_id[:HEX]} with states {list(kind.state_shape)}, {action}"
        f" ({counted(kind.acts, 'act')})"
    )


def _shown(query: DataQuery) -> str:
    given = query.traces()
    parts = [
        f"{name} {', '.join(value) if isinstance(value, tuple) else value.isoformat()}"
        for name in given.__dataclass_fields__
        if (value := getattr(given, name))
    ]
    return f" ({'; '.join(parts)})" if parts else ""
