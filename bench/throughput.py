"""Episodes per minute of a run, against playing the same episodes one by one with transformers' plain `generate`.

    python -m bench.throughput --json
    python -m bench.throughput --episodes 8 --turns 6 --rounds 3

Both arms use the same loaded model and dtype. The run plays through the engine, the batching backend and a SQLite store. The
reference replays a random few of its episodes: the same prompts, each re-encoded from the start, one request at a time, with as
many new tokens as were recorded. Each round gives one ratio; the line reports median, minimum, maximum and their number.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from agents import find_specs, make_agent
from agents.models.local_model import LocalModel, load_local
from agents.models.transformers_backend import TransformersBackend
from agents.models.weights import builtin_weights
from scenarios import find_scenarios
from simworld.core.protocols import Backend
from simworld.core.requests import Finished, Generate, Generated, ModelInfo, Prompt, Request
from simworld.runner.models import Crew
from simworld.runner.plan import Cast, Plan
from simworld.runner.stored import run_plan
from store import open_store

MODEL = "smollm2-135m-instruct"
AGENT = "smol-script"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it was answered."""

    episode: str
    prompt: Prompt
    new_tokens: int


class Recorder:
    """A backend that notes what it was asked and how long the answers were."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.calls: list[Call] = []
        self._open: dict[int, Generate] = {}

    @property
    def info(self) -> ModelInfo:
        return self.inner.info

    def submit(self, request: Request) -> int:
        ticket = self.inner.submit(request)
        if isinstance(request, Generate):
            self._open[ticket] = request
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        finished = self.inner.poll(wait_s)
        for done in finished:
            request = self._open.pop(done.ticket)
            if isinstance(done.completion, Generated):
                episode = request.thread.split("/")[0]
                self.calls.append(Call(episode=episode, prompt=request.prompt, new_tokens=done.completion.new_tokens))
        return finished

    def close(self) -> None:
        self.inner.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replay", type=int, default=2, help="episodes of the reference arm")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    given = parser.parse_args()
    local = load_local(builtin_weights(MODEL), dtype=given.dtype, device="cpu", threads=given.threads)
    ratios, fast, slow = [], [], []
    for seed in range(given.rounds):
        calls, run_s = play(local, given.episodes, given.turns, seed)
        episodes = sorted({call.episode for call in calls})
        chosen = np.random.default_rng(seed).choice(episodes, size=min(given.replay, len(episodes)), replace=False)
        replayed = [call for call in calls if call.episode in chosen]
        reference_s = replay(local, replayed)
        fast.append(60 * len(episodes) / run_s)
        slow.append(60 * len(chosen) / reference_s)
        ratios.append(fast[-1] / slow[-1])
        if not given.json:
            print(f"round {seed}: run {fast[-1]:.2f}, one by one {slow[-1]:.2f} episodes per minute, {ratios[-1]:.2f}x")
    line = {
        "vs_sequential": spread(ratios),
        "episodes_per_minute": spread(fast),
        "sequential_episodes_per_minute": spread(slow),
        "episodes": given.episodes,
        "turns": given.turns,
        "dtype": given.dtype,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(line))


def play(local: LocalModel, episodes: int, turns: int, seed: int) -> tuple[list[Call], float]:
    """The recorded calls of a run, and its wall time in seconds, store included."""
    chosen = [loaded.scenario for loaded in find_scenarios(["library"])]
    chosen = [s for s in chosen if len(s.seats) == 2][:episodes]
    chosen = [replace(s, limits=replace(s.limits, turns=turns), checks=()) for s in chosen]
    (loaded,) = find_specs([AGENT])
    recorder = Recorder(TransformersBackend(local, spec=f"builtin:{MODEL}", model_id="bench", batch_size=32))
    agent = make_agent(loaded, recorder.info)
    crew = Crew(agents={AGENT: agent}, backends={agent.model: recorder}, infos={AGENT: recorder.info})
    cast = Cast(by_seat={"*": AGENT})
    plan = Plan(run="bench", seed=seed, repeats=1, scenarios=tuple(chosen), casts=(cast,), specs={AGENT: loaded})
    with tempfile.TemporaryDirectory() as folder, open_store(str(Path(folder) / "bench.db"), create=True) as store:
        start = time.perf_counter()
        run_plan(plan, crew, store)
        return recorder.calls, time.perf_counter() - start


def replay(local: LocalModel, calls: Sequence[Call]) -> float:
    """Seconds that plain `generate` takes for the calls, one after the other."""
    start = time.perf_counter()
    with torch.inference_mode():
        for call in calls:
            ids = torch.tensor([local.renderer.ids(call.prompt)])
            length = max(1, call.new_tokens)
            local.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=0.8,
                top_k=40,
                min_new_tokens=length,
                max_new_tokens=length,
                pad_token_id=0,
            )
    return time.perf_counter() - start


def spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "n": len(values),
    }


if __name__ == "__main__":
    main()
