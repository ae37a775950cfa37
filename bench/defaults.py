"""The defaults of TD3+BC, one setting changed at a time, on a task whose best actions are known.

    OMP_NUM_THREADS=1 python -m bench.defaults --seeds 3

The task has the shape of a store after collecting along random directions: seats with four acts
each in families whose states differ, states of 577 numbers of which one matters, actions of 32 on
the sphere, and rewards that are mostly luck. An act brings a · w(s) and noise; w(s) is a fixed
direction and, with the sign of one state number, another one. So the best constant action is worth
cos 45° of what the best planner is. `value` is what a trained planner's actions bring on new
states, as a share of that
best: the mean over seeds, with its standard deviation. Rewards come act by act, or (`--end`) as one
sum at the end of the episode. One JSON line for each setting.

    OMP_NUM_THREADS=1 python -m bench.defaults --learners --seeds 3

compares the learners on the three tasks of `bench.planner_tasks` instead, with their defaults but for
small networks and a short training; `value` is again the share of what the best planner brings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.planner_tasks import TASKS, bare_checkpoint, collect, share_of_best
from bench.planner_tasks import new_world as new_task
from simworld.training.actor_init import new_actor
from simworld.training.data.transitions import Transitions
from simworld.training.data.variance_explained import fit_ridge
from simworld.training.rl.offline_training import LoopSettings, train_offline
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings
from simworld.training.rl.train_planner import TrainingData, train_planner

STATE, ACTION, ACTS, FAMILIES = 577, 32, 4, 30
# state numbers that are no other in another family; the first of them matters
SHARED_COORDINATES = 4
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"alpha": 1.0},
    {"alpha": 5.0},
    {"alpha": 10.0},
    {"gamma": 0.0},
    {"actor_lr": 3e-5},
    {"actor_lr": 1e-3},
    {"critic_lr": 1e-3},
    {"layer_norm": True},
    {"critic_hidden": ()},
    {"critic_hidden": (), "gamma": 0.0, "actor_lr": 1e-3, "critic_lr": 1e-3},
)
SMALL: dict[str, Any] = {"critic_hidden": (64, 64)}
BILINEAR: dict[str, Any] = {"critic": "bilinear"}
LEARNERS: dict[str, dict[str, Any]] = {
    "td3bc": {"td3bc": SMALL},
    "td3bc, bilinear": {"hidden": (), "td3bc": BILINEAR},
    "rebrac": {"learner": "rebrac", "rebrac": SMALL},
    "iql": {"learner": "iql", "iql": SMALL},
    "iql, bilinear": {"learner": "iql", "hidden": (), "iql": BILINEAR},
    "awac": {"learner": "awac", "awac": SMALL},
    "awac, bilinear": {"learner": "awac", "hidden": (), "awac": BILINEAR},
    "bc": {"learner": "bc"},
    "ridge": {"learner": "ridge"},
    "ridge, gamma .9": {"learner": "ridge", "ridge": {"gamma": 0.9}},
    "constant": {"learner": "constant"},
}
# by which training all of them are compared; the rest is their defaults
SHORT: dict[str, Any] = {"steps": 1000, "every": 500, "fqe": {"steps": 100, "hidden": (64, 64)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The two directions that pay, of length 1 and at right angles."""

    always: NDArray[np.float64]  # (d',)
    by_state: NDArray[np.float64]  # (d',), times the sign of the first state number

    def best(self, states: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, d') of length 1."""
        directions: NDArray[np.float64] = (
            self.always + np.sign(states[:, :1]) * self.by_state
        ) / 2**0.5
        return directions


def new_world(rng: np.random.Generator) -> World:
    first, second = np.linalg.qr(rng.normal(size=(ACTION, 2)))[0].T
    return World(always=first, by_state=second)


def make_dataset(
    world: World, rng: np.random.Generator, seats: int, noise: float, at_end: bool
) -> Transitions:
    n = seats * ACTS
    family = np.repeat(np.arange(seats) % FAMILIES, ACTS)
    states = rng.normal(size=(n, STATE)).astype(np.float32)
    states[:, SHARED_COORDINATES:] += rng.normal(
        size=(FAMILIES, STATE - SHARED_COORDINATES)
    ).astype(np.float32)[family]
    actions = rng.normal(size=(n, ACTION))
    actions *= ACTION**0.5 / np.linalg.norm(actions, axis=1, keepdims=True)
    # An act's product with a direction of length 1 has a deviation of 1; so noise is in deviations
    # of what can be learned.
    returns = (actions * world.best(states)).sum(1) + noise * rng.normal(size=n)
    last = np.arange(n) % ACTS == ACTS - 1
    rewards = (
        np.where(last, np.repeat(returns.reshape(-1, ACTS).sum(1), ACTS), 0.0)
        if at_end
        else returns
    )
    return Transitions(
        states=states,
        actions=actions.astype(np.float32),
        rewards=(rewards / rewards.std()).astype(np.float32),
        state_rows=np.arange(n),
        next_state_rows=np.where(last, np.arange(n), np.arange(n) + 1),
        terminals=last,
        episode_index=np.repeat(np.arange(seats), ACTS),
        turns=np.arange(n) % ACTS,
        family_index=family,
        episode_names=[f"e{i}" for i in range(seats)],
        family_names=[f"f{i}" for i in range(FAMILIES)],
    )


def planner_value(change: dict[str, Any], seed: int, args: argparse.Namespace) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    world = new_world(rng)
    data = make_dataset(world, rng, args.seats, args.noise, args.end)
    settings = TD3BCSettings(**change)
    actor = new_actor(STATE, ACTION, hidden=(256, 256), projection="sphere", seed=seed)
    loop = LoopSettings(seed=seed)
    position, normalizer = train_offline(
        TD3BC(actor, settings, seed=seed), data, loop, gamma=settings.gamma
    )
    actor.load_state_dict(position.best_weights)
    fresh = rng.normal(size=(4096, STATE)).astype(np.float32)
    fresh[:, SHARED_COORDINATES:] += rng.normal(size=(FAMILIES, STATE - SHARED_COORDINATES)).astype(
        np.float32
    )[np.arange(4096) % FAMILIES]
    with torch.no_grad():
        actions = actor(normalizer.standardise(torch.from_numpy(fresh))).numpy().astype(np.float64)
    ridge = fit_ridge(data.actions, data.rewards, data.family_index)
    return {
        "value": float((actions * world.best(fresh)).sum(1).mean()) / ACTION**0.5,
        "constant": float((ridge / np.linalg.norm(ridge) * world.best(fresh)).sum(1).mean()),
        "step": float(position.best_step),
    }


def learner_value(name: str, task: str, seed: int, args: argparse.Namespace) -> float:
    """What a learner's planner brings on a task, as a share of the best."""
    rng = np.random.default_rng(seed)
    world = new_task(task, rng)
    data = TrainingData(
        transitions=collect(world, args.seats, args.noise, rng), encoder_id="task", provenance={}
    )
    chosen = {"hidden": (64, 64), **LEARNERS[name], "loop": {**SHORT, "seed": seed}}
    settings = PlannerSettings.model_validate(chosen)
    planner = train_planner(data, bare_checkpoint(), settings)
    return share_of_best(world, planner, np.random.default_rng(1000 + seed))


def compare_learners(args: argparse.Namespace) -> None:
    """One JSON line for each learner and task."""
    for task in args.tasks:
        for name in args.named or LEARNERS:
            start = time.process_time()
            values = [learner_value(name, task, seed, args) for seed in range(args.seeds)]
            line = {
                "bench": "defaults",
                "task": task,
                "learner": name,
                "value": round(statistics.mean(values), 3),
                "sd": round(statistics.stdev(values), 3) if len(values) > 1 else None,
                "seeds": args.seeds,
                "seats": args.seats,
                "noise": args.noise,
                "cpu_seconds": round(time.process_time() - start, 1),
            }
            print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--seats", type=int, help="with four acts each; default: 500, with --learners 1,000"
    )
    parser.add_argument(
        "--noise",
        type=float,
        help="deviation of luck, in those of what can be learned; default: 5, with --learners 2",
    )
    parser.add_argument(
        "--only", type=int, nargs="+", help="numbers of the settings, from 0; default: all"
    )
    parser.add_argument(
        "--end", action="store_true", help="one reward at the end of each seat's episode"
    )
    parser.add_argument("--learners", action="store_true", help="compare learners on three tasks")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, help="of --learners")
    parser.add_argument("--named", nargs="+", choices=LEARNERS, help="of --learners; default: all")
    args = parser.parse_args()
    args.seats = args.seats or (1000 if args.learners else 500)
    args.noise = (2.0 if args.learners else 5.0) if args.noise is None else args.noise
    if args.learners:
        compare_learners(args)
        return
    for change in CHANGES if args.only is None else [CHANGES[number] for number in args.only]:
        start = time.perf_counter()
        results = [planner_value(change, seed, args) for seed in range(args.seeds)]
        values = [one["value"] for one in results]
        line = {
            "bench": "defaults",
            "changed": change,
            "place": "end" if args.end else "utterance",
            "value": round(statistics.mean(values), 3),
            "sd": round(statistics.stdev(values), 3) if len(values) > 1 else None,
            "constant": round(statistics.mean(one["constant"] for one in results), 3),
            "best_step": round(statistics.mean(one["step"] for one in results)),
            "seeds": args.seeds,
            "seconds": round(time.perf_counter() - start, 1),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
