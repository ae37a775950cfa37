"""Our batching against transformers' own continuous batching, side by side in one process.

    python -m bench.continuous_batching [--rows 16] [--tokens 24] [--rounds 3] [--dtype float32]

Prints one JSON line. Every arm reads the same prompts, of about 260 tokens, and writes as many
tokens to each, greedily; the values are seconds of that arm over ours, one per round:

continuous   `generate_batch` of transformers, with pages of 32 tokens and as many blocks and tokens
             per step as the fastest of the settings below
padded       `generate` of transformers on one padded batch
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from agents.lm import load_backend
from agents.lm.local_spec import find_local_weights
from simworld.core.protocols import Backend
from simworld.core.requests import Generate, Sampling, TextPrompt

MODEL = "builtin:smollm2-135m-instruct"
PER_STEP = (64, 128)  # tokens; 256 and 512 are slower still on a CPU


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    weights = find_local_weights(MODEL)
    tokenizer = AutoTokenizer.from_pretrained(weights.folder)
    model = AutoModelForCausalLM.from_pretrained(
        weights.folder, dtype=getattr(torch, args.dtype), attn_implementation="sdpa"
    ).eval()
    texts = [
        f"Round {i}. Ana: Hello there, " + "how is the day going? " * (40 + i % 7)
        for i in range(args.rows)
    ]
    prompts = [tokenizer(text).input_ids for text in texts]
    backend = load_backend(MODEL, dtype=args.dtype, device="cpu", batch_size=args.rows)
    _ours(backend, texts[:1], 2, "first")  # loads the model
    continuous: list[float] = []
    padded: list[float] = []
    for number in range(args.rounds):
        ours_s = _ours(backend, texts, args.tokens, str(number))
        padded.append(_padded(model, prompts, args.tokens) / ours_s)
        fastest = min(_continuous(model, prompts, args.tokens, n) for n in PER_STEP)
        continuous.append(fastest / ours_s)
    print(
        json.dumps(
            {
                "bench": "continuous_batching",
                "rows": args.rows,
                "prompt_tokens": sum(map(len, prompts)),
                "new_tokens": args.rows * args.tokens,
                "dtype": args.dtype,
                "threads": torch.get_num_threads(),
                "transformers": transformers.__version__,
                "machine": platform.machine(),
                **{
                    name: {"median": statistics.median(values), "rounds": values}
                    for name, values in (("continuous", continuous), ("padded", padded))
                },
            }
        )
    )


def _ours(backend: Backend, texts: list[str], tokens: int, name: str) -> float:
    start = time.perf_counter()
    for i, text in enumerate(texts):
        prompt = TextPrompt(text=f"{name} {text}")  # no cache of an earlier round is of use
        sampling = Sampling(temperature=0, max_new_tokens=tokens)
        backend.submit(Generate(prompt=prompt, sampling=sampling, seed=0, thread=f"{name} {i}"))
    left = len(texts)
    while left:
        left -= len(backend.poll(1))
    return time.perf_counter() - start


def _padded(model: Any, prompts: list[list[int]], tokens: int) -> float:
    start = time.perf_counter()
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.inference_mode():
        model.generate(
            ids,
            attention_mask=mask,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )
    return time.perf_counter() - start


def _continuous(model: Any, prompts: list[list[int]], tokens: int, per_step: int) -> float:
    paging = transformers.ContinuousBatchingConfig(
        page_size=32,
        num_blocks=(sum(map(len, prompts)) + len(prompts) * (tokens + 64)) // 32,
        max_batch_tokens=per_step,
        max_requests_per_batch=len(prompts),
        use_cuda_graph=False,
        use_async_batching=False,
    )
    start = time.perf_counter()
    written = model.generate_batch(
        inputs=prompts,
        generation_config=GenerationConfig(
            max_new_tokens=tokens, do_sample=False, eos_token_id=-1, pad_token_id=0
        ),
        continuous_batching_config=paging,
        progress_bar=False,
        warmup=False,
    )
    took_s = time.perf_counter() - start
    lengths = [len(reply.generated_tokens) for reply in written.values()]
    if lengths != [tokens] * len(prompts):
        raise RuntimeError(f"continuous batching wrote {lengths} tokens, not {tokens} each")
    return took_s


if __name__ == "__main__":
    main()
