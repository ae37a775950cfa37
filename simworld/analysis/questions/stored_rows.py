"""Rows as they are stored: episodes, and what was said in them."""

from __future__ import annotations

import pandas as pd

from simworld.analysis.questions.query_source import QuerySource, json_value
from simworld.analysis.questions.scope import ScopeFilters, require_known, resolve_scope
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from store.unknown_names import MAX_IDS, did_you_mean_id

_EPISODE_COLUMNS = (
    "e.id AS episode, e.run, e.scenario_name AS scenario, e.family, e.repeat, e.attempt, e.ending,"
    " e.reason, e.failure_boundary, e.failure_kind, e.failure_message, e.turns, e.prompt_tokens,"
    " e.new_tokens, e.started, e.ended, e.parent_id AS parent"
)
_ACT_COLUMNS = (
    "e.id AS episode, e.run, e.scenario_name AS scenario, e.family, e.repeat, e.ending, a.turn,"
    " a.position, a.seat, s.persona, s.agent_name AS agent, a.kind, a.text, a.recipients,"
    " a.prompt_tokens, a.new_tokens, a.latency_s, a.logprob, a.asks"
)


def episodes(
    source: QuerySource, filters: ScopeFilters, *, ending: str | None, limit: int
) -> pd.DataFrame:
    """See `Analysis.episodes`."""
    scope = resolve_scope(source, **filters)
    condition = "1 = 1" if ending is None else "e.ending = :ending"
    values = scope.params
    if ending is not None:
        values = values | {"ending": require_known(ending, [e.value for e in Ending], "ending")}
    sql = (
        f"SELECT {_EPISODE_COLUMNS} FROM episodes e WHERE {scope.episode_condition()}"
        f" AND {condition} ORDER BY e.ended DESC, e.id DESC"
    )
    frame = source.frame(sql, values, limit=limit)
    for name in ("started", "ended"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def transcripts(
    source: QuerySource, filters: ScopeFilters, *, episode: str | None, limit: int
) -> pd.DataFrame:
    """See `Analysis.transcripts`."""
    scope = resolve_scope(source, **filters)
    values, condition = scope.params, "1 = 1"
    if episode is not None:
        values, condition = (
            values | {"episode": _resolve_episode_id(source, episode)},
            "a.episode_id = :episode",
        )
    sql = f"""
SELECT {_ACT_COLUMNS}
FROM acts a
JOIN episodes e ON e.id = a.episode_id
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
WHERE {scope.episode_condition()} AND {scope.seat_condition()} AND {condition}
ORDER BY a.episode_id, a.turn, a.position"""
    frame = source.frame(sql, values, limit=limit)
    frame["recipients"] = [json_value(value) for value in frame["recipients"]]
    return frame


def _resolve_episode_id(source: QuerySource, prefix: str) -> str:
    """The one id that begins so."""
    if not prefix or not set(prefix) <= set("0123456789abcdef"):
        raise InputError(f"not an episode id: {prefix!r}; ids are hexadecimal, see episodes()")
    matches = source.column(
        "SELECT id FROM episodes WHERE id LIKE :like ORDER BY id LIMIT 3", {"like": f"{prefix}%"}
    )
    if len(matches) == 1:
        return str(matches[0])
    if not matches:
        ids = source.column(
            "SELECT id FROM episodes ORDER BY ended DESC, id DESC LIMIT :most", {"most": MAX_IDS}
        )
        raise InputError(
            f"no episode {prefix} in {source.where}; see"
            f" episodes(){did_you_mean_id(prefix, map(str, ids))}"
        )
    raise InputError(
        f"several episodes begin with {prefix}: {', '.join(matches[:2])}, …; give more of the id"
    )
