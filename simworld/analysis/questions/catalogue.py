"""What there is to ask about: runs, agents and judges, with counts."""

from __future__ import annotations

import pandas as pd

from simworld.analysis.questions.query_source import QuerySource, to_frame
from simworld.analysis.questions.scope import Scope, resolve_scope


def runs(source: QuerySource) -> pd.DataFrame:
    """See `Analysis.runs`."""
    rows = [
        (row.run.name, row.run.created, row.planned, row.done, row.failed, row.episodes, row.judged)
        for row in source.store.run_summaries()
    ]
    counts = dict.fromkeys(("planned", "done", "failed", "episodes", "judged"), "int64")
    frame = to_frame(rows, {"run": "", "begun": "", **counts})
    frame["begun"] = pd.to_datetime(frame["begun"], utc=True)
    return frame


def agents(source: QuerySource, *, run: str | None) -> pd.DataFrame:
    """See `Analysis.agents`."""
    scope = resolve_scope(source, run=run) if run is not None else Scope()
    sql = f"""
SELECT e.run, s.agent_name, s.agent_id, count(*), count(DISTINCT e.family),
  sum(CASE WHEN e.ending = 'failed' THEN 1 ELSE 0 END)
FROM episodes e JOIN episode_seats s ON s.episode_id = e.id
WHERE {scope.episode_condition()}
GROUP BY e.run, s.agent_name, s.agent_id
ORDER BY e.run, s.agent_name"""
    counts = dict.fromkeys(("seats", "families", "failed"), "int64")
    columns = {"run": "", "agent": "", "agent_id": "", **counts}
    return to_frame(source.rows(sql, scope.params), columns)


def judges(source: QuerySource, *, run: str | None) -> pd.DataFrame:
    """See `Analysis.judges`."""
    scope = resolve_scope(source, run=run) if run is not None else Scope()
    sql = f"""
SELECT g.name, g.id, j.rubric_id, count(*), sum(CASE WHEN j.status = 'ok' THEN 1 ELSE 0 END),
  sum(CASE WHEN j.status = 'failed' THEN 1 ELSE 0 END), max(j.sample) + 1
FROM judgements j JOIN judges g ON g.id = j.judge_id JOIN episodes e ON e.id = j.episode_id
WHERE {scope.episode_condition()}
GROUP BY g.name, g.id, j.rubric_id
ORDER BY g.name, g.id, j.rubric_id"""
    counts = dict.fromkeys(("judgements", "ok", "failed", "samples"), "int64")
    return to_frame(
        source.rows(sql, scope.params), {"judge": "", "judge_id": "", "rubric": "", **counts}
    )
