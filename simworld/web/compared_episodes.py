"""The episodes of two agents in one scenario, side by side, with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simworld.results.episode_pairs import EpisodePair, pair_episodes
from simworld.results.episode_scores import EpisodeScores, read_episode_scores
from simworld.web.page_request import PageRequest
from simworld.web.pages import episode
from simworld.web.pages.scenario import find_scenario
from simworld.web.run_and_judge import RunAndJudge
from store import Store

PAIRS_PER_PAGE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedEpisode:
    """One of two episodes that are read side by side."""

    agent: str
    pair: EpisodePair
    transcript: Sequence[episode.TranscriptLine]
    language: str  # of its scenario
    episode_id: str  # id


def compared_episodes(
    store: Store, request: PageRequest, chosen: RunAndJudge, agents: tuple[str, str], scenario: str
) -> dict[str, object]:
    """The pairs of episodes of two agents in a scenario, a page of them, and one pair to read."""
    pairs = pair_episodes(store, chosen.run, scenario, *agents, is_compared=chosen.is_compared)
    page = request.integer("page", low=1, high=1_000_000, default=1)
    begin = (page - 1) * PAIRS_PER_PAGE
    number = request.integer(
        "pair", low=1, high=max(1, len(pairs)), default=min(begin + 1, max(1, len(pairs)))
    )
    shown = pairs[begin : begin + PAIRS_PER_PAGE]
    open_pair = pairs[number - 1] if pairs else None
    judges = [judge for judge in store.judges() if judge.id in chosen.judge_ids]
    episode_ids = [
        side.id
        for pair in (*shown, *([open_pair] if open_pair else []))
        for side in (pair.first, pair.second)
    ]
    scores = read_episode_scores(store, judges, episode_ids)
    return {
        "pairs": [
            (i, pair, overall_scores(scores, pair)) for i, pair in enumerate(shown, begin + 1)
        ],
        "page": page,
        "more": len(pairs) > begin + PAIRS_PER_PAGE,
        "number": number,
        "pair": open_pair,
        "sides": [
            compared_episode(store, agent, open_pair, id_)
            for agent, id_ in zip(agents, (open_pair.first.id, open_pair.second.id), strict=True)
        ]
        if open_pair
        else [],
        "dimensions": dimension_scores(scores, open_pair) if open_pair else [],
    }


def overall_scores(
    scores: Mapping[tuple[str, str], EpisodeScores], pair: EpisodePair
) -> tuple[float | None, float | None, float | None]:
    """The overall scores of a pair and their difference, as far as there are any."""
    first, second = (scores.get((id_, pair.seat)) for id_ in (pair.first.id, pair.second.id))
    a, b = (None if scored is None else scored.overall for scored in (first, second))
    return a, b, None if a is None or b is None else a - b


def dimension_scores(
    scores: Mapping[tuple[str, str], EpisodeScores], pair: EpisodePair
) -> list[tuple[str, float | None, float | None, float | None]]:
    """Dimension, its score in either episode, and the difference."""
    first, second = (scores.get((id_, pair.seat)) for id_ in (pair.first.id, pair.second.id))
    names = dict.fromkeys(
        name for scored in (first, second) if scored is not None for name in scored.dimensions
    )
    rows = []
    for name in names:
        a, b = (
            None if scored is None else scored.dimensions.get(name) for scored in (first, second)
        )
        rows.append((name, a, b, None if a is None or b is None else a - b))
    return rows


def compared_episode(store: Store, agent: str, pair: EpisodePair, id_: str) -> ComparedEpisode:
    """One of two episodes, to be read."""
    episode.check_size(store, id_)
    stored = store.episode(id_, vectors=False)
    scenario = find_scenario(store, stored.summary.scenario_id)
    return ComparedEpisode(
        agent=agent,
        pair=pair,
        transcript=episode.transcript_lines(stored, scenario, episode.seat_names(stored.summary)),
        language=scenario.language,
        episode_id=id_,
    )
