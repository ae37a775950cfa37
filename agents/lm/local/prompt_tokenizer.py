"""Prompts as token ids: where their parts begin, and continuations that share a prompt.

Every prompt gets its beginning-of-sequence token exactly once where the tokenizer adds one by
itself.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.lm.local.chat_template import ChatTemplate, PromptError
from agents.lm.local.common_prefix import common_prefix_length
from agents.lm.reasoning import ends_in_thought, is_reasoning_mark
from agents.lm.reasoning_marks import Reasoning
from simworld.core.requests import Position, Prompt

__all__ = ["Continuation", "PromptError", "PromptTokenizer", "PromptTokens"]

_TAIL_CHARS = 200
_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTokens:
    """A prompt as the model reads it."""

    ids: list[int]  # at least one
    reply_start: int  # where in `ids` the `reply_start` begins; 0 where there is none
    prefix_index: int  # before which of `ids` a prefix goes, 0 to len(ids)
    in_thought: bool = False  # the template has opened a thought in which the reply begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """A continuation as the model reads it: `ids[start:]` are scored, given everything before
    them.
    """

    ids: tuple[int, ...]  # prompt and continuation tokenised together
    start: int  # at least 1


class PromptTokenizer:
    """Renders prompts for one tokenizer."""

    def __init__(self, tokenizer: Any, reasoning: Reasoning | None = None) -> None:
        self.reasoning = reasoning  # how the model marks its thoughts
        self._tokenizer = tokenizer
        self._template = ChatTemplate(tokenizer, reasoning)
        added_tokens = tokenizer.added_tokens_decoder.items()
        specials = {id_: str(token) for id_, token in added_tokens if token.special}
        marks = {id_ for id_, token in specials.items() if is_reasoning_mark(token, reasoning)}
        # Without the marks of a thought nobody could tell it from speech; where none of them is
        # special, all special ones go.
        self._hidden_ids = frozenset(specials) - marks if marks else None
        empty = list(tokenizer("").input_ids)
        bos = tokenizer.bos_token_id
        # only if it is added unasked
        self._bos_id: int | None = bos if bos is not None and empty[:1] == [bos] else None
        self._token_texts: dict[int, str] = {}

    def render(self, prompt: Prompt) -> str:
        """The prompt as the model reads it, the begun reply included. Raises PromptError."""
        return self._template.render(prompt)

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's token ids, at least one. Raises PromptError."""
        return _not_empty(self._encode_text(self.render(prompt)))

    def tokenise(self, prompt: Prompt, position: Position = "start") -> PromptTokens:
        """The prompt's token ids, and where its parts begin: at the last token boundary at or
        before the place in the text.

        `start` is 0, or 1 after a beginning-of-sequence token that the tokenizer adds by itself;
        for `mid` and `end` see `ChatTemplate.prefix_char`. The header that opens the reply is
        `ids[prefix_index:]` at `end`. Raises PromptError.
        """
        text = self.render(prompt)
        reply_char = self._template.reply_start_char(prompt, text)
        prefix_char = (
            None if position == "start" else self._template.prefix_char(prompt, text, position)
        )
        ids, (reply_start, prefix_index) = self._token_indices(text, (reply_char, prefix_char))
        if position == "start":
            prefix_index = int(self._bos_id is not None and ids[:1] == [self._bos_id])
        in_thought = ends_in_thought(text, self.reasoning)
        return PromptTokens(
            ids=_not_empty(ids),
            reply_start=reply_start,
            prefix_index=prefix_index,
            in_thought=in_thought,
        )

    def tokenise_continuations(self, prompt: Prompt, texts: Sequence[str]) -> list[Continuation]:
        """Each text after the prompt, tokenised together with it; where the boundary merges, its
        tokens belong to the text.

        Raises PromptError, also where a text adds no token.
        """
        text = self.render(prompt)
        prompt_ids = self.encode(prompt)
        split_char, head_ids = self._split_point(text, prompt_ids)
        encode = self._encode_text if split_char == 0 else self._encode_bare
        tokenised = []
        for continuation in texts:
            said = self._template.remove_special_tokens(continuation)
            ids = head_ids + encode(text[split_char:] + said)
            start = max(1, common_prefix_length(prompt_ids, ids))
            if len(ids) <= start:
                raise PromptError(f"the continuation {continuation!r} adds no token to the prompt")
            tokenised.append(Continuation(ids=tuple(ids), start=start))
        return tokenised

    def _split_point(self, text: str, ids: Sequence[int]) -> tuple[int, list[int]]:
        """A place between words near the end of a text where its tokens can be had in two parts,
        and those before it; else 0.

        A long prompt need not be tokenised again for each continuation. Whether the tokenizer
        allows the cut is tried out.
        """
        word_gaps = [
            match.start()
            for match in _BETWEEN_WORDS.finditer(
                text, max(0, len(text) - _TAIL_CHARS), len(text) - _TAIL_CHARS // 4
            )
        ]
        if not word_gaps:
            return 0, []
        tail_ids = self._encode_bare(text[word_gaps[0] :])
        head_ids = list(ids[: len(ids) - len(tail_ids)])
        if (
            head_ids
            and head_ids + tail_ids == list(ids)
            and head_ids[-1:] == self._encode_text(text[: word_gaps[0]])[-1:]
        ):
            return word_gaps[0], head_ids
        return 0, []

    def decode_reply(self, prompt_ids: Sequence[int], reply_ids: Sequence[int]) -> str:
        """The text of reply tokens after prompt tokens, without special tokens; a leading space
        survives.
        """
        last_prompt_ids = list(prompt_ids[-4:])
        last_prompt_text = self._decode(last_prompt_ids)
        decoded = self._decode([*last_prompt_ids, *reply_ids])
        if last_prompt_text and decoded.startswith(last_prompt_text):
            return decoded[len(last_prompt_text) :]
        return self._decode(reply_ids)

    def decode_token(self, token: int) -> str:
        """The token decoded alone; decoded with its neighbours it may give more text."""
        if token not in self._token_texts:
            self._token_texts[token] = self._decode([token])
        return self._token_texts[token]

    def end_token_ids(self, generation_config: Any) -> frozenset[int]:
        """The tokens that end a reply: what the model's files name, and the usual end-of-turn
        tokens if the vocabulary has them.
        """
        ids: set[int] = set()
        for source in (self._tokenizer, generation_config):
            eos_ids = getattr(source, "eos_token_id", None)
            ids.update([eos_ids] if isinstance(eos_ids, int) else eos_ids or ())
        vocabulary = self._tokenizer.get_added_vocab()
        usual_end_tokens: tuple[str, ...] = (
            "<|im_end|>",
            "<|endoftext|>",
            "<|eot_id|>",
            "<|end_of_text|>",
            "<end_of_turn>",
            "<|end|>",
            "</s>",
        )
        if "<|channel|>" in vocabulary:
            # ends a channel, and not the reply
            usual_end_tokens = tuple(token for token in usual_end_tokens if token != "<|end|>")
        return frozenset(
            ids | {vocabulary[token] for token in usual_end_tokens if token in vocabulary}
        )

    def _encode_text(self, text: str) -> list[int]:
        return self._prepend_bos(self._encode_bare(text))

    def _prepend_bos(self, ids: list[int]) -> list[int]:
        return (
            [self._bos_id, *ids] if self._bos_id is not None and ids[:1] != [self._bos_id] else ids
        )

    def _token_indices(self, text: str, chars: Sequence[int | None]) -> tuple[list[int], list[int]]:
        """A text's tokens, and how many of them end at or before each of the places in it; 0 for
        None.
        """
        if not self._tokenizer.is_fast:
            ids = self._encode_text(text)
            return ids, [
                0 if char is None else common_prefix_length(self._encode_text(text[:char]), ids)
                for char in chars
            ]
        encoding = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = self._prepend_bos(list(encoding.input_ids))
        ends = [end for _, end in encoding.offset_mapping]
        ends = [0] * (len(ids) - len(ends)) + ends
        return ids, [0 if char is None else bisect_right(ends, char) for char in chars]

    def _encode_bare(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _decode(self, ids: Sequence[int]) -> str:
        if self._hidden_ids is not None:
            ids = [token for token in ids if token not in self._hidden_ids]
        text = self._tokenizer.decode(
            list(ids),
            skip_special_tokens=self._hidden_ids is None,
            clean_up_tokenization_spaces=False,
        )
        return str(text)


def _not_empty(ids: list[int]) -> list[int]:
    if not ids:
        raise PromptError("the prompt is empty")
    return ids
