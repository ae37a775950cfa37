"""A run's speed, side by side in one process with plain transformers and with what the arithmetic alone would take.

    python -m bench.throughput --json
    python -m bench.throughput --quick
    python -m bench.throughput --episodes 32 --turns 8 --rounds 5 --dtype bfloat16
    python -m bench.throughput --record calls.json          # for bench/vllm_arm.py, which runs in an environment of its own
    python -m bench.throughput --vllm /path/to/python       # runs that arm too, with the Python that has vLLM

The run plays through the engine, the batching backend and a SQLite store. All arms use the same loaded model and dtype. Slow arms
replay a random few of the recorded requests, with as many new tokens as were recorded. Each round gives one value per key:

vs_sequential      episodes per minute over those of `generate`, one request at a time, every prompt read from its start
vs_batched         the same against `generate` on all live episodes of a turn as one padded batch
share_of_bound     (prompt tokens read / best rate + decoding steps x best step) over the wall time of the run. The best rate is
                   the most prompt tokens per second that the whole model reads, by transformers or by us, in prompts of 128, 256
                   or 512 tokens; the best step is its parts timed alone: products with the weights, vocabulary head, and attention
                   at the mean batch and mean cache length, each with the fastest kernel
share_of_products  the same with prompt tokens at the rate of the products with the weights alone: a bound nothing can reach
overhead_share     wall time outside the model's own forward, over the wall time
vs_vllm            episodes per minute over those of vLLM on the same prompts and token counts (with --vllm)
judge_vs_separate  14 answers after a transcript of 1,000 tokens: separate calls over calls that share a thread
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from agents import find_specs, make_agent
from agents.lm.local.local_model import LocalModel, load_local_model
from agents.lm.local.transformers_backend import TransformersBackend
from agents.lm.local.weights import builtin_weights
from bench.throughput_references import Call, batched, judging, limits, one_by_one
from scenarios import find_scenarios
from simworld.core.protocols import Backend
from simworld.core.requests import Finished, Generate, Generated, ModelInfo, Request
from simworld.runner.agent_pool import AgentPool
from simworld.runner.run_plan import Cast, RunPlan
from simworld.runner.stored_run import play_missing
from store import open_store

MODEL = "smollm2-135m-instruct"
AGENT = "smol-script"
QUICK_S = 280.0  # no round begins that would end later


class Recorder:
    """A backend that notes what it was asked and how long the answers were."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.calls: list[Call] = []
        self._open: dict[int, Generate] = {}
        self._turns: Counter[str] = Counter()

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
                self.calls.append(
                    Call(
                        episode=episode,
                        turn=self._turns[episode],
                        prompt=request.prompt,
                        prompt_tokens=done.completion.prompt_tokens,
                        new_tokens=done.completion.new_tokens,
                    )
                )
                self._turns[episode] += 1
        return finished

    def close(self) -> None:
        self.inner.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replay", type=int, default=4, help="episodes of the arm without batches")
    parser.add_argument("--quick", action="store_true", help="a smaller run of under five minutes")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write the requests of the last round"
    )
    parser.add_argument(
        "--vllm", type=Path, metavar="PYTHON", help="replay the last round with vLLM"
    )
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    if args.quick:
        args.episodes, args.turns, args.rounds = 16, 4, 2
    start = time.perf_counter()
    local = load_local_model(
        builtin_weights(MODEL), dtype=args.dtype, device="cpu", cpu_threads=args.threads
    )
    values_by_key: dict[str, list[float]] = {}
    for seed in range(args.rounds):
        values, calls = measure(local, args.episodes, args.turns, args.replay, seed)
        for key, value in values.items():
            values_by_key.setdefault(key, []).append(value)
        if not args.json:
            print(
                f"round {seed}: "
                + ", ".join(f"{key} {value:.3g}" for key, value in values.items()),
                flush=True,
            )
        spent = time.perf_counter() - start
        if args.quick and spent * (seed + 2) / (seed + 1) > QUICK_S:
            break
    if args.record:
        write_calls(local, calls, args.record)
    if args.vllm:
        with tempfile.TemporaryDirectory() as folder:
            write_calls(local, calls, Path(folder) / "calls.json")
            arm = [
                str(args.vllm),
                str(Path(__file__).with_name("vllm_arm.py")),
                str(Path(folder) / "calls.json"),
            ]
            arm += ["--model", str(builtin_weights(MODEL).folder), "--dtype", args.dtype]
            ran = subprocess.run(arm, check=True, stdout=subprocess.PIPE, text=True)
        theirs = json.loads(ran.stdout.splitlines()[-1])["episodes_per_minute"]
        values_by_key["vs_vllm"] = [values_by_key["episodes_per_minute"][-1] / theirs]
    line = {key: spread(values) for key, values in values_by_key.items()} | {
        "episodes": args.episodes,
        "turns": args.turns,
        "dtype": args.dtype,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(line))


def measure(
    local: LocalModel, episodes: int, turns: int, replay: int, seed: int
) -> tuple[dict[str, float], Sequence[Call]]:
    """The values of one round, and what was asked in it."""
    recorder, backend, run_s = play(local, episodes, turns, seed)
    calls, meter = recorder.calls, backend.meter
    names = sorted({call.episode for call in calls})
    random = np.random.default_rng(seed)
    chosen = random.choice(names, size=min(replay, len(names)), replace=False)
    alone_s = (
        one_by_one(local, [call for call in calls if call.episode in chosen])
        * len(names)
        / len(chosen)
    )
    # Time grows with the history, so a turn and the one as far from the other end stand for all of
    # them.
    last = max(call.turn for call in calls)
    early = int(random.integers(0, (last + 1) // 2))
    groups = [[call for call in calls if call.turn == turn] for turn in (early, last - early)]
    share = sum(map(len, groups)) / len(calls)
    batched_s = (
        sum(
            batched(local, group[start : start + 32])
            for group in groups
            for start in range(0, len(group), 32)
        )
        / share
    )
    cached = statistics.fmean(call.prompt_tokens + call.new_tokens / 2 for call in calls)
    longest = max((local.prompt_tokenizer.encode(call.prompt) for call in calls), key=len)
    machine_limits = limits(
        local,
        longest,
        rows=max(1, round(meter.decoded_tokens / meter.passes)),
        cached=round(cached),
    )
    text = "\n".join(
        local.prompt_tokenizer.render(call.prompt) for call in calls if call.turn == last
    )
    ours_s, separate_s = judging(local, backend, text, f"judge {seed}")
    values = {
        "vs_sequential": alone_s / run_s,
        "vs_batched": batched_s / run_s,
        "share_of_bound": machine_limits.bound_s(meter.prefill_tokens, meter.passes) / run_s,
        "share_of_products": replace(
            machine_limits, prompt_token_s=machine_limits.products_s
        ).bound_s(meter.prefill_tokens, meter.passes)
        / run_s,
        "overhead_share": 1 - meter.seconds["forward"] / run_s,
        "judge_vs_separate": separate_s / ours_s,
        "episodes_per_minute": 60 * len(names) / run_s,
        "mean_batch": meter.decoded_tokens / meter.passes,
        "new_tokens_per_s": meter.decoded_tokens / run_s,
    }
    return values, calls


def write_calls(local: LocalModel, calls: Sequence[Call], path: Path) -> None:
    """The requests as JSON: per episode its turns, each with the prompt's token ids and how many
    new tokens came."""
    episodes: dict[str, list[dict[str, object]]] = {}
    for call in sorted(calls, key=lambda call: call.turn):
        turn = {"prompt": local.prompt_tokenizer.encode(call.prompt), "new_tokens": call.new_tokens}
        episodes.setdefault(call.episode, []).append(turn)
    path.write_text(json.dumps(list(episodes.values())))


def play(
    local: LocalModel, episodes: int, turns: int, seed: int
) -> tuple[Recorder, TransformersBackend, float]:
    """A run: its recorded calls, the backend as it was left, and the wall time in seconds, store
    included."""
    chosen = [loaded.scenario for loaded in find_scenarios(["library"])]
    chosen = [s for s in chosen if len(s.seats) == 2][:episodes]
    chosen = [replace(s, limits=replace(s.limits, turns=turns), checks=()) for s in chosen]
    (loaded,) = find_specs([AGENT])
    backend = TransformersBackend(local, spec=f"builtin:{MODEL}", model_id="bench", batch_size=32)
    recorder = Recorder(backend)
    agent = make_agent(loaded, recorder.info)
    agent_pool = AgentPool(
        agents={AGENT: agent}, backends={agent.model: recorder}, infos={AGENT: recorder.info}
    )
    cast = Cast(by_seat={"*": AGENT})
    plan = RunPlan(
        run="bench",
        seed=seed,
        repeats=1,
        scenarios=tuple(chosen),
        casts=(cast,),
        specs={AGENT: loaded},
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(str(Path(folder) / "bench.db"), create=True) as store,
    ):
        start = time.perf_counter()
        play_missing(plan, agent_pool, store)
        return recorder, backend, time.perf_counter() - start


def spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "n": len(values),
    }


if __name__ == "__main__":
    main()
