"""Replays recorded dialogues through vLLM; run by a Python that has vLLM and needs nothing of
simworld.

    python bench/vllm_arm.py calls.json --model FOLDER --dtype bfloat16

`calls.json` is what `bench.throughput --record` wrote. All dialogues are live at once, a turn
begins when the one before it is done, prefix caching is on, and each reply is forced to its
recorded length. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("calls")
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", default="bfloat16")
    args = parser.parse_args()
    offline = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HOST_IP": "127.0.0.1",
    }
    for name, value in {
        **offline,
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }.items():
        os.environ.setdefault(name, value)
    with open(args.calls, encoding="utf-8") as file:
        episodes = json.load(file)
    vllm = importlib.import_module("vllm")  # simworld does not have it

    model = vllm.LLM(
        model=args.model,
        dtype=args.dtype,
        max_model_len=4096,
        max_num_seqs=64,
        max_num_batched_tokens=4096,
        enable_chunked_prefill=False,
        enable_prefix_caching=True,
        enforce_eager=True,
        disable_log_stats=True,
    )
    model.generate(
        [{"prompt_token_ids": list(range(100, 164))}],
        vllm.SamplingParams(max_tokens=4),
        use_tqdm=False,
    )
    seconds = replay(vllm, model.llm_engine, episodes)
    tokens = sum(turn["new_tokens"] for turns in episodes for turn in turns)
    line = {
        "episodes_per_minute": 60 * len(episodes) / seconds,
        "seconds": seconds,
        "new_tokens_per_s": tokens / seconds,
    }
    print(json.dumps({key: round(value, 3) for key, value in line.items()}))


def replay(vllm: Any, engine: Any, episodes: list[list[dict[str, Any]]]) -> float:
    """Seconds for all dialogues."""
    start = time.perf_counter()

    def ask(episode: int, turn: int) -> None:
        asked = episodes[episode][turn]
        length = max(1, asked["new_tokens"])
        sampling = vllm.SamplingParams(
            temperature=0.5,
            top_k=40,
            repetition_penalty=1.15,
            ignore_eos=True,
            min_tokens=length,
            max_tokens=length,
        )
        engine.add_request(f"{episode}/{turn}", {"prompt_token_ids": asked["prompt"]}, sampling)

    for episode in range(len(episodes)):
        ask(episode, 0)
    while engine.has_unfinished_requests():
        for output in engine.step():
            if output.finished:
                episode, turn = map(int, output.request_id.split("/"))
                if turn + 1 < len(episodes[episode]):
                    ask(episode, turn + 1)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
