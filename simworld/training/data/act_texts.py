"""What was said in the acts of a dataset, read again from the store."""

from __future__ import annotations

from simworld.core.episode import ActionKind
from simworld.training.data.transitions import Transitions
from store import Store


def act_texts(store: Store, transitions: Transitions) -> list[str]:
    """The words of each act, (N); empty where it said nothing.

    Raises InputError where the store lacks an episode of the dataset.
    """
    by_act: dict[tuple[int, int], str] = {}
    for index in dict.fromkeys(transitions.episode_index.tolist()):
        episode_id, seat = transitions.episode_names[index].split("/", 1)
        for turn in store.episode(episode_id, vectors=False).episode.turns:
            for act in turn.acts:
                if act.seat == seat and act.action.kind is not ActionKind.none:
                    by_act[index, turn.index] = act.action.text
    keys = zip(transitions.episode_index.tolist(), transitions.turns.tolist(), strict=True)
    return [by_act.get(key, "") for key in keys]
