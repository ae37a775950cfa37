"""What happened: runs, episodes and judgements in an SQL database. Names are loaded on use, so
importing this is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.connection import check_store as check_store
    from store.connection import upgrade_store as upgrade_store
    from store.records import AgentRecord as AgentRecord
    from store.records import Attribution as Attribution
    from store.records import Cells as Cells
    from store.records import EndingCount as EndingCount
    from store.records import EpisodeSummary as EpisodeSummary
    from store.records import ItemState as ItemState
    from store.records import JudgementScores as JudgementScores
    from store.records import JudgeRecord as JudgeRecord
    from store.records import PlannedItem as PlannedItem
    from store.records import RunRecord as RunRecord
    from store.records import RunSummary as RunSummary
    from store.records import ScoreRow as ScoreRow
    from store.records import SeatRecord as SeatRecord
    from store.records import SeatTrace as SeatTrace
    from store.records import StoredEpisode as StoredEpisode
    from store.records import StoredJudgement as StoredJudgement
    from store.records import TraceOverview as TraceOverview
    from store.records import TraceQuery as TraceQuery
    from store.records import TrainingRecord as TrainingRecord
    from store.records import TrainingStep as TrainingStep
    from store.records import UsedAction as UsedAction
    from store.records import VectorKind as VectorKind
    from store.sql_query import query as query
    from store.store import Store as Store
    from store.store import open_store as open_store

__simworld__ = True  # the name fence looks for this mark: simworld/name_clash_check.py

_HOME = {
    "check_store": "store.connection",
    "upgrade_store": "store.connection",
    "Store": "store.store",
    "open_store": "store.store",
    "query": "store.sql_query",
    "AgentRecord": "store.records",
    "Attribution": "store.records",
    "Cells": "store.records",
    "EndingCount": "store.records",
    "EpisodeSummary": "store.records",
    "ItemState": "store.records",
    "JudgeRecord": "store.records",
    "PlannedItem": "store.records",
    "RunRecord": "store.records",
    "RunSummary": "store.records",
    "ScoreRow": "store.records",
    "SeatRecord": "store.records",
    "JudgementScores": "store.records",
    "SeatTrace": "store.records",
    "StoredEpisode": "store.records",
    "StoredJudgement": "store.records",
    "TraceOverview": "store.records",
    "TraceQuery": "store.records",
    "TrainingRecord": "store.records",
    "TrainingStep": "store.records",
    "UsedAction": "store.records",
    "VectorKind": "store.records",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'store' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
