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

PAGE_SIZE = 20
SEARCH_KINDS = ("words", "meaning")
MAX_TEXT_CHARS = 300
SHOWN_LINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """An episode that was found."""

    summary: EpisodeSummary
    lines: Sequence[WordMatch]  # by words: where they are; by meaning: the first ones
    cosine: float | None  # by meaning: how near


def search(state: AppState, store: Store, request: PageRequest) -> Page:
    """Episodes by words, the latest first; or by meaning, the nearest first."""
    text = request.text("text", max_chars=MAX_TEXT_CHARS)
    by = request.choice("by", SEARCH_KINDS) or SEARCH_KINDS[0]
    run = request.text("run")
    empty = dict.fromkeys(("older", "before", "nearest"))
    answer: dict[str, Any] = {"hits": [], "loading": False, **empty}
    if text is not None:
        answer |= (search_by_words if by == "words" else search_by_meaning)(
            state, store, request, text, run
        )
    query = {"text": text, "by": by, "run": run, "names": state.cached("names", store.filter_names)}
    return Page(template="search.html", title="Search", values={**answer, **query})


def search_by_words(
    state: AppState, store: Store, request: PageRequest, text: str, run: str | None
) -> dict[str, Any]:
    """The latest episodes in which all words occur."""
    search_phrases = parse_phrases(text)
    before = request.integer("before", low=1, high=2**62, default=0)
    hits = store.search_text(search_phrases, run=run, before=before or None, limit=PAGE_SIZE + 1)
    page_of_hits = hits[:PAGE_SIZE]
    summaries = store.summaries_by_id([hit.episode_id for hit in page_of_hits])
    return {
        "hits": [
            SearchResult(
                summary=summaries[hit.episode_id],
                lines=matching_lines(hit.text, search_phrases),
                cosine=None,
            )
            for hit in page_of_hits
            if hit.episode_id in summaries
        ],
        "before": before,
        "older": page_of_hits[-1].number if len(hits) > PAGE_SIZE else None,
    }


def search_by_meaning(
    state: AppState, store: Store, request: PageRequest, text: str, run: str | None
) -> dict[str, Any]:
    """The episodes nearest in meaning among those that have an embedding."""

    def counts(encoder: str) -> tuple[int, int]:
        return state.cached(("embedded", encoder), lambda: store.embedding_counts(encoder))

    nearest = state.semantic_search.find(store, text, counts, run=run, limit=PAGE_SIZE)
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
    numbered = [(number, line) for number, line in enumerate(text.split("\n")) if line]
    return [WordMatch(number=i, parts=((line, False),)) for i, line in numbered[:SHOWN_LINES]]
