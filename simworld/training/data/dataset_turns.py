"""What stood around the acts of a dataset, read again from the store."""

from __future__ import annotations

from collections import defaultdict

from simworld.training.data.seat_turns import SeatTurn, seat_turns
from simworld.training.data.transitions import Transitions
from store import Store


def dataset_turns(store: Store, transitions: Transitions) -> list[SeatTurn]:
    """The turn of each act, (N), its words among it.

    Raises InputError where the store lacks an episode of the dataset.
    """
    seats = defaultdict[str, list[tuple[int, str]]](list)
    for index in dict.fromkeys(transitions.episode_index.tolist()):
        episode_id, seat = transitions.episode_names[index].split("/", 1)
        seats[episode_id].append((index, seat))
    by_act: dict[tuple[int, int], SeatTurn] = {}
    for episode_id, own in seats.items():
        episode = store.episode(episode_id, vectors=False).episode
        scenario = store.scenario(episode.scenario_id)
        for index, seat in own:
            found = seat_turns(scenario, episode, seat)
            by_act |= {(index, turn): seat_turn for turn, seat_turn in found.items()}
    keys = zip(transitions.episode_index.tolist(), transitions.turns.tolist(), strict=True)
    return [by_act[key] for key in keys]
