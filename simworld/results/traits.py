"""What marks an arm beside its base: the words and the ways of replying that rose most, and those
that fell, by log-odds ratios. To be read beside every score: a judge may like a habit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agents.steering.named_ways import NEUTRAL
from simworld.core.whole_words import split_words
from simworld.results.language_quality import EpisodeSeats, spoken_acts
from simworld.results.planner_ways import PlannerWays
from simworld.stats.log_odds import TokenDifference, compare_tokens

MAX_RISEN, MAX_FALLEN = 8, 4
MIN_Z = 2.0  # of what is shown; uncorrected for the number of words, and lines hang together


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitTable:
    """What an arm says more often than its base, then what less, the clearest first."""

    words: tuple[TokenDifference, ...]
    # of steered lines, by what its action is nearest to; empty where no planner knows ways
    ways: tuple[TokenDifference, ...]
    utterances: int
    base_utterances: int

    def to_json(self) -> dict[str, Any]:
        """Gives the table as plain JSON data."""
        return asdict(self)


def compare_traits(arm: EpisodeSeats, base: EpisodeSeats, known: PlannerWays) -> TraitTable:
    """Tells what marks what an arm said beside what the base said."""
    ways, base_ways = _count_ways(arm, known), _count_ways(base, known)
    has_ways = any(way != NEUTRAL for way in (*ways, *base_ways))
    return TraitTable(
        words=_clearest(compare_tokens(_count_words(arm), _count_words(base))),
        ways=_clearest(compare_tokens(ways, base_ways)) if has_ways else (),
        utterances=len(spoken_acts(arm)),
        base_utterances=len(spoken_acts(base)),
    )


def arm_traits(
    played: Mapping[str, EpisodeSeats], base: str, known: PlannerWays
) -> dict[str, TraitTable]:
    """Arm → what marks it, of all arms but the base."""
    return {
        arm: compare_traits(seats, played[base], known)
        for arm, seats in played.items()
        if arm != base
    }


def _clearest(differences: Sequence[TokenDifference]) -> tuple[TokenDifference, ...]:
    risen = [each for each in differences if each.z >= MIN_Z][:MAX_RISEN]
    fallen = sorted(
        (each for each in differences if each.z <= -MIN_Z), key=lambda each: (each.z, each.token)
    )
    return (*risen, *fallen[:MAX_FALLEN])


def _count_words(seats: EpisodeSeats) -> Counter[str]:
    return Counter(word for act in spoken_acts(seats) for word in split_words(act.action.text))


def _count_ways(seats: EpisodeSeats, known: PlannerWays) -> Counter[str]:
    """How often each way was the nearest; what was not steered counts as the neutral one, and what
    was steered by a planner without ways not at all.
    """
    counts: Counter[str] = Counter()
    for episode, seat in seats:
        for act in spoken_acts([(episode, seat)]):
            if act.plan is None or act.plan.action is None:
                counts[NEUTRAL] += 1
            elif near := known.nearest(act, episode.cast.get(seat, ""), 1):
                counts[near[0].words] += 1
    return counts
