"""Points of the earlier rounds of a Swiss tournament, from which the next round is paired."""

from __future__ import annotations

from simworld.core.measures import OVERALL
from simworld.results.games import count_games
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.results import find_judge_ids, read_tournament_scores
from simworld.tournaments.tournament_plan import PointsOfCasts
from store import Store


def swiss_points(tournament: Tournament, store: Store) -> PointsOfCasts:
    """Casts → agent → games won, a tie counting half, by the first judge's `overall` in stored
    episodes of these casts.
    """

    def points(casts: frozenset[frozenset[str]]) -> dict[str, float]:
        judge_ids = find_judge_ids(store, tournament.name, tournament.judges[0])
        counts = count_games(read_tournament_scores(tournament, store, judge_ids, casts=casts))
        if OVERALL not in counts.measures:
            return {}
        won = (counts.wins + counts.ties / 2)[..., counts.measures.index(OVERALL)].sum((0, 2))
        return dict(zip(counts.agents, won.tolist(), strict=True))

    return points
