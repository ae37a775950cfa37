"""Tiny random models of real families with tokenizers trained on the spot, saved as folders for
`hf:`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from simworld.core.requests import ChatPrompt, Generate, Message, Sampling, TextPrompt

CORPUS = [
    (
        "The box office has closed. Outside, one person holds a spare ticket; another has come a"
        " long way for the concert."
    ),
    (
        "Would you sell it for sixty euros? I paid more than that, and two other people asked"
        " before you came."
    ),
    "Ann: Let us meet in the middle. Ben: Only if you tell me where the seat is.",
]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., Any]:
    """A byte-level tokenizer with the special tokens <s>, </s>, <|im_start|>, <|im_end|>."""

    def make(template: str | None = CHATML, *, adds_bos: bool = False) -> Any:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
        from transformers import PreTrainedTokenizerFast

        core = Tokenizer(models.BPE())
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        specials = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
        trainer = trainers.BpeTrainer(
            vocab_size=384,
            special_tokens=specials,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        core.train_from_iterator(CORPUS, trainer)
        if adds_bos:
            core.post_processor = processors.TemplateProcessing(
                single="<s> $A", special_tokens=[("<s>", 0)]
            )
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=core,
            bos_token="<s>",
            eos_token="</s>",
            additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        )
        tokenizer.chat_template = template
        return tokenizer

    return make


def tiny_config(family: str, vocabulary: int) -> Any:
    import transformers as t

    common = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.4,  # large, so that greedy replies differ from prompt to prompt
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": None,
    }
    match family:
        case "llama":
            return t.LlamaConfig(**common)
        case "qwen2":
            return t.Qwen2Config(**common)
        case "qwen3":
            return t.Qwen3Config(**common, head_dim=8)
        case "gemma":
            return t.GemmaConfig(**common, head_dim=8)
        case "gemma2":
            return t.Gemma2Config(**common, head_dim=8, sliding_window=16)
        case "gemma3":
            kinds = ["sliding_attention", "full_attention"]
            return t.Gemma3TextConfig(**common, head_dim=8, sliding_window=16, layer_types=kinds)
        case "mistral":
            return t.MistralConfig(**common, sliding_window=16)
    raise ValueError(family)


@pytest.fixture(scope="session")
def make_folder(
    tmp_path_factory: pytest.TempPathFactory, make_tokenizer: Callable[..., Any]
) -> Callable[..., Path]:
    """A model folder of a family: `make_folder("llama", template=…, adds_bos=…)`."""

    def make(family: str = "llama", **tokenizing: Any) -> Path:
        from transformers import AutoModelForCausalLM

        folder = tmp_path_factory.mktemp(family)
        tokenizer = make_tokenizer(**tokenizing)
        torch.manual_seed(7)
        model = AutoModelForCausalLM.from_config(tiny_config(family, len(tokenizer)))
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
        return folder

    return make


@pytest.fixture(scope="session")
def llama(make_folder: Callable[..., Path]) -> Path:
    return make_folder("llama")


@pytest.fixture
def backend(llama: Path) -> Iterator[Any]:
    from agents.lm import load_backend

    made = load_backend(f"hf:{llama}", dtype="float32", device="cpu")
    yield made
    made.close()


@pytest.fixture(scope="session")
def ask() -> Callable[..., Generate]:
    """A request: `ask("text", seed=…, stop=…, chat=…, **sampling)`."""

    def make(
        text: str, *, seed: int = 1, stop: tuple[str, ...] = (), chat: bool = False, **sampling: Any
    ) -> Generate:
        prompt = (
            ChatPrompt(messages=(Message(role="user", content=text),))
            if chat
            else TextPrompt(text=text)
        )
        sampling.setdefault("max_new_tokens", 12)
        return Generate(prompt=prompt, sampling=Sampling(**sampling), seed=seed, stop=stop)

    return make


@pytest.fixture(scope="session")
def gather() -> Callable[..., list[Any]]:
    """Submits requests, polls until all are done, and returns their completions in order."""

    def run(backend: Any, requests: list[Any]) -> list[Any]:
        tickets = [backend.submit(request) for request in requests]
        done: dict[int, Any] = {}
        while found := backend.poll():
            for finished in found:
                assert finished.ticket not in done
                done[finished.ticket] = finished.completion
        return [done[ticket] for ticket in tickets]

    return run
