"""Whether a planner could tell the situations that a task rewards: from states, on unseen families.

    python -m bench.situations --run planning-collect-1a2b3c4d --own '(?i)tomorrow' --db planning.db
    python -m bench.situations --run … --states lines:builtin:all-minilm-l6-v2 --db planning.db

For every steered act of a run: did the partner's last line ask, did the seat's own last line ask,
or match `--own`, has it asked before, is it the first half of the turns? States are the stored
ones, or made anew from the words by `--states`. `share` is how many acts are in the situation; `auc` how well a logistic regression on the stored states (standardised, penalty of C)
tells it on families that it was not fitted to (five folds); `auc_clock` the same of the share of
turns left alone. One JSON line for each situation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from agents.steering.state_encoders import load_lines_encoder
from simworld.core.episode import Ending
from simworld.training.data.remade_states import remake_states
from simworld.training.data.reward_rules import found_in
from simworld.training.data.seat_turns import SeatTurn, asks, seat_turns
from store import Store, open_store

SITUATIONS: Mapping[str, Callable[[SeatTurn], bool]] = {
    "partner asks": lambda turn: asks(turn.heard),
    "own last line asks": lambda turn: asks(turn.own_before),
    "has asked": lambda turn: turn.has_asked,
    "first half": lambda turn: turn.in_first_half,
}
FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Acts:
    """The steered acts of a run."""

    turns: list[SeatTurn]
    states: NDArray[np.float32]  # (n, d_s)
    families: list[str]


def read_acts(store: Store, run: str) -> Acts:
    turns, states, families = [], [], []
    for stored in store.episodes(run=run):
        if stored.episode.ending is Ending.failed:
            continue
        scenario = store.scenario(stored.episode.scenario_id)
        by_seat = {seat: seat_turns(scenario, stored.episode, seat) for seat in stored.episode.cast}
        for turn in stored.episode.turns:
            for act in turn.acts:
                if act.plan is None or act.plan.action is None:
                    continue
                turns.append(by_seat[act.seat][turn.index])
                states.append(act.plan.state)
                families.append(scenario.family)
    return Acts(turns=turns, states=np.stack(states).astype(np.float32), families=families)


def auc(
    states: NDArray[np.float32], labels: NDArray[np.bool_], families: list[str], c: float
) -> float:
    standardised = (states - states.mean(0)) / (states.std(0) + 1e-6)
    scores = cross_val_predict(
        LogisticRegression(C=c, max_iter=300),
        standardised,
        labels,
        groups=families,
        cv=GroupKFold(FOLDS),
        method="decision_function",
    )
    return float(roc_auc_score(labels, scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--run", required=True)
    parser.add_argument("--db", default="simworld.db")
    parser.add_argument("--own", default="", help="a pattern of the seat's own last line")
    parser.add_argument("--states", default="", help="lines: and a sentence encoder")
    parser.add_argument("--c", type=float, default=0.003)
    parser.add_argument("--acts", type=int, default=6000, help="at most, the first ones")
    args = parser.parse_args()
    with open_store(args.db) as store:
        acts = read_acts(store, args.run)
    turns, families = acts.turns[: args.acts], acts.families[: args.acts]
    states = acts.states[: args.acts]
    if args.states:
        states = remake_states(load_lines_encoder(args.states), turns)
    situations = dict(SITUATIONS)
    if args.own:
        situations["own last line matches"] = lambda turn: found_in(args.own, turn.own_before)
    for name, holds in situations.items():
        labels = np.array([holds(turn) for turn in turns])
        line = {
            "situation": name,
            "acts": len(labels),
            "share": round(float(labels.mean()), 3),
            "auc": round(auc(states, labels, families, args.c), 3),
            "auc_clock": round(auc(states[:, -1:], labels, families, args.c), 3),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
