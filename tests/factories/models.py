"""Tiny random models of real families with tokenizers made on the spot, saved as folders for
`hf:`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from agents.lm.local.local_model import LocalModel, load_local_model
from agents.lm.local_spec import find_local_weights

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


def trained_tokenizer(template: str | None = CHATML, *, adds_bos: bool = False) -> Any:
    """A byte-level tokenizer of 384 tokens with the special tokens <s>, </s>, <|im_start|>,
    <|im_end|>."""
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


def byte_tokenizer() -> Any:
    """A token for each byte, and </s>, <|im_start|>, <|im_end|>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["</s>", "<|im_start|>", "<|im_end|>"]
    core = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate([*specials, *letters])}, merges=[])
    )
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="</s>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def tiny_config(family: str, vocabulary: int, **changes: Any) -> Any:
    """Two layers of width 32."""
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
    } | changes
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


def save(folder: Path, config: Any, tokenizer: Any) -> Path:
    """Writes a model with random weights into the folder, and returns it."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(7)
    AutoModelForCausalLM.from_config(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def save_tiny(folder: Path, family: str = "llama") -> Path:
    """A model folder with a token for each byte, a context of 1024 and weights large enough that
    prefixes matter."""
    tokenizer = byte_tokenizer()
    config = tiny_config(
        family,
        len(tokenizer),
        max_position_embeddings=1024,
        initializer_range=0.3,
        eos_token_id=0,
        bos_token_id=None,
    )
    return save(folder, config, tokenizer)


def load_tiny(folder: Path) -> LocalModel:
    return load_local_model(
        find_local_weights(f"hf:{folder}"), dtype="float32", device="cpu", cpu_threads=1
    )
