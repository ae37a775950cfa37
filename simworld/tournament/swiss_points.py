"""Points of the earlier rounds of a Swiss tournament, from which the next round is paired."""

from __future__ import annotations

from simworld.core.measures import OVERALL
from simworld.results.games import count_games
from simworld.tournament.loaded_tournament import Tournament
from simworld.tournament.results import judge_ids, read_tournament_scores
from simworld.tournament.tournament_plan import Points
from store import Store


def points_of(tournament: Tournament, store: Store) -> Points:
    """Casts → agent → games won, a tie counting half, by the first judge's `overall` in stored
    episodes of these casts.
    """

    def points(casts: frozenset[frozenset[str]]) -> dict[str, float]:
        ids = judge_ids(store, tournament.name, tournament.judges[0])
        counted = count_games(read_tournament_scores(tournament, store, ids, casts=casts))
        if OVERALL not in counted.measures:
            return {}
        won = (counted.wins + counted.ties / 2)[..., counted.measures.index(OVERALL)].sum((0, 2))
        return dict(zip(counted.agents, won.tolist(), strict=True))

    return points
