"""A query selects from a store one kind of vectors, and whose verdicts count; or one line says why
it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.steering.state_encoders import load_lines_encoder
from simworld.core.counts import counted
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.training.data.dataset_query import DataQuery
from store import JudgeRecord, TraceOverview, VectorKind

ID_DIGITS = 12  # of an id, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSelection:
    """What a query selects."""

    encoder_id: str
    d_state: int
    d_action: int  # 0: states only
    # judge id → dimension → weight; empty where no judge is asked
    weights: Mapping[str, Mapping[str, float]]


def select_data(
    query: DataQuery, overview: TraceOverview, judges: Sequence[JudgeRecord]
) -> DatasetSelection:
    """Selects what a dataset is made from. Raises InputError where the query finds nothing, vectors
    that do not fit together, or several judges.
    """
    kind = _select_vectors(query, overview)
    encoder_id, d_state = kind.encoder_id, kind.state_shape[0]
    if query.states:
        encoder = load_lines_encoder(query.states)
        encoder_id, d_state = encoder.id, encoder.size + 1
    judged = query.reward.measure == "judged" and not query.states_only
    return DatasetSelection(
        encoder_id=encoder_id,
        d_state=d_state,
        d_action=0 if query.states_only or kind.action_shape is None else kind.action_shape[0],
        weights=_judge_weights(query, overview, {j.id: j for j in judges}) if judged else {},
    )


def _select_vectors(query: DataQuery, overview: TraceOverview) -> VectorKind:
    failed = overview.endings.get(Ending.failed, 0)
    episodes = sum(overview.endings.values())
    if not episodes:
        raise InputError(
            f"no episode fits the query{_describe_query(query)}; see `simworld episode list`"
        )
    if episodes == failed:
        raise InputError(
            f"{'the one episode that fits' if failed == 1 else f'all {failed:,} episodes that fit'}"
            " the query failed; simworld run --retry-failed plays them again"
        )
    if not overview.kinds:
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
    fitting = [
        kind for kind in overview.kinds if query.states_only or kind.action_shape is not None
    ]
    if not fitting:
        raise InputError(
            "these episodes hold states but no actions; play with a steered agent, or ask for"
            " --states-only"
        )
    by_shape = {
        (
            # states that are made anew fit together whatever was stored
            None if query.states else (kind.encoder_id, kind.state_shape),
            None if query.states_only else kind.action_shape,
        ): kind
        for kind in fitting
    }
    if len(by_shape) > 1:
        listed = "; ".join(sorted(_describe_vectors(kind) for kind in fitting))
        raise InputError(
            f"these vectors do not fit together: {listed}; choose with --encoder, --planner,"
            " --agent or --run"
        )
    (kind,) = by_shape.values()
    if len(kind.state_shape) != 1 or len(kind.action_shape or (0,)) != 1:
        raise InputError(f"a state and an action are vectors, found {_describe_vectors(kind)}")
    return kind


def _judge_weights(
    query: DataQuery, overview: TraceOverview, judges: Mapping[str, JudgeRecord]
) -> Mapping[str, Mapping[str, float]]:
    judged_by = "; ".join(
        f"{id_} ({counted(count, 'episode')})" for id_, count in sorted(overview.judges.items())
    )
    if not judged_by:
        raise InputError(
            "none of these episodes has been judged; simworld judge run judges them, or choose a"
            " reward that needs no judge"
        )
    ids = set() if query.judges else set(overview.judges)
    for name in query.judges:
        matching = {name} & overview.judges.keys() or {
            id_ for id_ in overview.judges if judges[id_].name == name
        }
        if not matching:
            raise InputError(
                f"no judgement by {name!r} among these episodes; they were judged by {judged_by}"
            )
        ids |= matching
    if len(ids) > 1 and not query.mix_judges:
        raise InputError(
            f"these episodes were judged by several: {judged_by}; say which by its id with --judge"
        )
    return {id_: _dimension_weights(query, judges[id_]) for id_ in sorted(ids)}


def _dimension_weights(query: DataQuery, judge: JudgeRecord) -> Mapping[str, float]:
    dimensions = judge.spec.get("rubric", {}).get("dimensions", ())
    in_rubric = {dimension["name"]: float(dimension["weight"]) for dimension in dimensions}
    given = query.reward.weights
    if unknown := [name for name in given if in_rubric and name not in in_rubric]:
        raise InputError(
            f"judge {judge.id} knows no dimension {', '.join(unknown)}; it has"
            f" {', '.join(in_rubric)}"
        )
    if not (given or sum(in_rubric.values())):
        raise InputError(
            f"judge {judge.id} was stored without a rubric's weights; give --weight"
            " DIMENSION=NUMBER"
        )
    return given or in_rubric


def _describe_vectors(kind: VectorKind) -> str:
    action = "no action" if kind.action_shape is None else f"actions {list(kind.action_shape)}"
    return (
        f"encoder {kind.encoder_id[:ID_DIGITS]} with states {list(kind.state_shape)}, {action}"
        f" ({counted(kind.acts, 'act')})"
    )


def _describe_query(query: DataQuery) -> str:
    trace_query = query.trace_query()
    parts = [
        f"{name} {', '.join(value) if isinstance(value, tuple) else value.isoformat()}"
        for name in trace_query.__dataclass_fields__
        if (value := getattr(trace_query, name))
    ]
    return f" ({'; '.join(parts)})" if parts else ""
