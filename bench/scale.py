"""How memory and time grow: with the number of episodes, and with the length of one; on a tiny random model.

    python -m bench.scale --json
    python -m bench.scale --quick

memory_mib        peak memory of the process after so many episodes through engine, backend and SQLite store, less that after the
                  first 100; it is bounded by live episodes, so it should not grow with their number
turns             for dialogues of 10 to 40 turns, per turn: prompt tokens that went through the model, those that reading the whole
                  history at each turn would take, and milliseconds; only the second should grow
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from agents import find_specs, make_agent
from agents.lm.local.local_model import LocalModel, load_local_model
from agents.lm.local.transformers_backend import TransformersBackend
from agents.lm.local.weights import Weights, builtin_weights
from agents.lm_agent import LMAgent
from scenarios import find_scenarios
from simworld.core.requests import Sampling
from simworld.runner.agent_pool import AgentPool
from simworld.runner.run_plan import Cast, RunPlan
from simworld.runner.stored_run import play_missing
from store import open_store

AGENT = "smol-script"
CONTEXT = 8192


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1,000 episodes instead of 5,000")
    parser.add_argument("--live", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        local = tiny(Path(folder), args.threads)
        sizes = [100, 500, 1000] if args.quick else [100, 1000, 2000, 3000, 4000, 5000]
        growth, turns = memory(local, sizes, args.live), lengths(local, [10, 20, 30, 40])
    if not args.json:
        for count, more in growth.items():
            print(f"{count:>5} episodes: {more:+.1f} MiB")
        for count, costs in turns.items():
            print(
                f"{count:>5} turns: " + ", ".join(f"{key} {value}" for key, value in costs.items())
            )
    print(json.dumps({"memory_mib": growth, "turns": turns, "live": args.live}))


def tiny(folder: Path, threads: int = 1) -> LocalModel:
    """A random Llama of two narrow layers with the built-in model's tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(str(builtin_weights("smollm2-135m-instruct").folder))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return load_local_model(
        Weights(folder=folder, id="tiny"), dtype="float32", device="cpu", cpu_threads=threads
    )


def memory(local: LocalModel, sizes: list[int], live: int) -> dict[int, float]:
    """Growth of the peak in MiB after so many episodes of two turns, against the first of the
    sizes."""
    growth_by_size: dict[int, float] = {}
    first = 0.0
    done = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(str(Path(folder) / "scale.db"), create=True) as store,
    ):
        backend = TransformersBackend(local, spec="tiny", model_id="tiny", batch_size=live)
        for size in sizes:
            plan, agent_pool = prepare(backend, turns=2, tokens=4, episodes=size - done, seed=size)
            play_missing(plan, agent_pool, store, max_live=live)
            done = size
            peak = peak_mib()
            first = first or peak
            growth_by_size[size] = round(peak - first, 1)
    return growth_by_size


def lengths(local: LocalModel, turns: list[int]) -> dict[int, dict[str, float]]:
    """Per number of turns: tokens and time of one dialogue after the other, per turn."""
    cost_by_turns = {}
    for count in turns:
        with (
            tempfile.TemporaryDirectory() as folder,
            open_store(str(Path(folder) / "scale.db"), create=True) as store,
        ):
            backend = TransformersBackend(local, spec="tiny", model_id="tiny")
            plan, agent_pool = prepare(backend, turns=count, tokens=24, episodes=4, seed=1)
            start = time.perf_counter()
            play_missing(plan, agent_pool, store)
            seconds = time.perf_counter() - start
            acts = [act for stored in store.episodes(vectors=False) for act in stored.episode.acts]
            whole = sum(act.generation.prompt_tokens for act in acts if act.generation)
            cost_by_turns[count] = {
                "read_per_turn": round(backend.meter.prefill_tokens / len(acts), 1),
                "whole_history_per_turn": round(whole / len(acts), 1),
                "ms_per_turn": round(1000 * seconds / len(acts), 1),
            }
    return cost_by_turns


def prepare(
    backend: TransformersBackend, *, turns: int, tokens: int, episodes: int, seed: int
) -> tuple[RunPlan, AgentPool]:
    """A plan of repeats of one scenario, and the loaded agents for it: one agent in every seat."""
    (loaded,) = find_specs([AGENT])
    agent = make_agent(loaded, backend.info)
    assert isinstance(agent, LMAgent)
    agent = replace(agent, sampling=Sampling(top_k=40, max_new_tokens=tokens), max_similarity=1.0)
    (loaded_scenario,) = find_scenarios(["last-concert-ticket"])
    scenario = replace(
        loaded_scenario.scenario,
        limits=replace(loaded_scenario.scenario.limits, turns=turns, silence=turns),
        checks=(),
    )
    agent_pool = AgentPool(
        agents={AGENT: agent}, backends={agent.model: backend}, infos={AGENT: backend.info}
    )
    cast = Cast(by_seat={"*": AGENT})
    return RunPlan(
        run=f"scale {seed}",
        seed=seed,
        repeats=episodes,
        scenarios=(scenario,),
        casts=(cast,),
        specs={AGENT: loaded},
    ), agent_pool


def peak_mib() -> float:
    """The most memory that the process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
