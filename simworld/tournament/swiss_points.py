"""Points of the earlier rounds of a Swiss tournament, from which the next round is paired."""

from __future__ import annotations

from simworld.core.measures import OVERALL
from simworld.results.games import count_cells
from simworld.tournament.loading import Tournament
from simworld.tournament.results import judge_ids, scores
from simworld.tournament.tournament_plan import Points
from store import Store


def points_of(tournament: Tournament, store: Store) -> Points:
    """Casts → agent → games won, a tie counting half, by the first judge's `overall` in stored
    episodes of these casts.
    """

    def points(casts: frozenset[frozenset[str]]) -> dict[str, float]:
        ids = judge_ids(store, tournament.name, tournament.judges[0])
        won: dict[str, float] = {}
        for game in count_cells(scores(tournament, store, ids, casts=casts)).games:
            if game.dimension == OVERALL:
                won[game.first] = won.get(game.first, 0.0) + game.wins + game.ties / 2
                won[game.second] = won.get(game.second, 0.0) + game.losses + game.ties / 2
        return won

    return points
