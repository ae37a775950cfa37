"""Search: episodes by their words, or by what happens in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simworld.analysis.word_search import WordMatch, matching_lines, parse_phrases
from simworld.web.app_state import AppState
from simworld.web.page import Page
from simworld.web.page_request import PageRequest
from store import EpisodeSummary, Store

PAGE = 20
BY = ("words", "meaning")
LONGEST = 300  # characters
BEGINNING = 2  # lines


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """An episode that was found."""

    summary: EpisodeSummary
    lines: Sequence[WordMatch]  # by words: where they are; by meaning: the first ones
    cosine: float | None  # by meaning: how near


def search(state: AppState, store: Store, request: PageRequest) -> Page:
    """Episodes by words, the latest first; or by meaning, the nearest first."""
    text = request.text("text", longest=LONGEST)
    by = request.one_of("by", BY) or BY[0]
    run = request.text("run")
    answer: dict[str, Any] = {
        "hits": [],
        "older": None,
        "before": None,
        "nearest": None,
        "loading": False,
    }
    if text is not None:
        answer |= (search_by_words if by == "words" else search_by_meaning)(
            state, store, request, text, run
        )
    names = state.remember("names", store.filter_names)
    asked = {"text": text, "by": by, "run": run, "names": names}
    return Page(template="search.html", title="Search", values={**answer, **asked})


def search_by_words(
    state: AppState, store: Store, request: PageRequest, text: str, run: str | None
) -> dict[str, Any]:
    """The latest episodes in which all words occur."""
    wanted = parse_phrases(text)
    before = request.whole("before", low=1, high=2**62, default=0)
    hits = store.search_text(wanted, run=run, before=before or None, limit=PAGE + 1)
    shown = hits[:PAGE]
    summaries = store.summaries_by_id([hit.episode_id for hit in shown])
    return {
        "hits": [
            SearchResult(
                summary=summaries[hit.episode_id],
                lines=matching_lines(hit.text, wanted),
                cosine=None,
            )
            for hit in shown
            if hit.episode_id in summaries
        ],
        "before": before,
        "older": shown[-1].number if len(hits) > PAGE else None,
    }


def search_by_meaning(
    state: AppState, store: Store, request: PageRequest, text: str, run: str | None
) -> dict[str, Any]:
    """The episodes nearest in meaning among those that have an embedding."""

    def counts(encoder: str) -> tuple[int, int]:
        return state.remember(("embedded", encoder), lambda: store.embedding_counts(encoder))

    nearest = state.meaning.find(store, text, counts, run=run, limit=PAGE)
    if nearest is None:
        return {"loading": True}
    ids = [hit.episode_id for hit in nearest.hits]
    summaries, texts = store.summaries_by_id(ids), store.texts_by_episode(ids)
    return {
        "hits": [
            SearchResult(
                summary=summaries[hit.episode_id],
                lines=first_lines(texts.get(hit.episode_id, "")),
                cosine=hit.cosine,
            )
            for hit in nearest.hits
            if hit.episode_id in summaries
        ],
        "nearest": nearest,
    }


def first_lines(text: str) -> list[WordMatch]:
    """The first lines of an episode."""
    texts = [
        WordMatch(number=i, parts=((line, False),))
        for i, line in enumerate(text.split("\n"))
        if line
    ]
    return texts[:BEGINNING]
