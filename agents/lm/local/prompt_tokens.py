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
from agents.lm.local.common_prefix import common_prefix
from agents.lm.reasoning import is_mark, opens_thought
from agents.lm.reasoning_marks import Reasoning
from simworld.core.requests import Position, Prompt

__all__ = ["Continuation", "PromptError", "Renderer", "Tokens"]

_TAIL = 200  # characters
_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A prompt as the model reads it."""

    ids: list[int]  # at least one
    begun: int  # where in `ids` the `reply_start` begins; 0 where there is none
    place: int  # before which of `ids` a prefix goes, 0 to len(ids)
    inside: bool = False  # the template has opened a thought in which the reply begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """A continuation as the model reads it: `ids[start:]` are scored, given everything before
    them.
    """

    ids: tuple[int, ...]  # prompt and continuation tokenised together
    start: int  # at least 1


class Renderer:
    """Renders prompts for one tokenizer."""

    def __init__(self, tokenizer: Any, reasoning: Reasoning | None = None) -> None:
        self.reasoning = reasoning  # how the model marks its thoughts
        self._tokenizer = tokenizer
        self._template = ChatTemplate(tokenizer, reasoning)
        specials = {
            token_id: str(token)
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special
        }
        marks = {token_id for token_id, token in specials.items() if is_mark(token, reasoning)}
        # Without the marks of a thought nobody could tell it from speech; where none of them is
        # special, all special ones go.
        self._unsaid = frozenset(specials) - marks if marks else None
        empty = list(tokenizer("").input_ids)
        bos = tokenizer.bos_token_id
        # only if it is added unasked
        self._bos: int | None = bos if bos is not None and empty[:1] == [bos] else None
        self._pieces: dict[int, str] = {}

    def text(self, prompt: Prompt) -> str:
        """The prompt as the model reads it, the begun reply included. Raises PromptError."""
        return self._template.text(prompt)

    def ids(self, prompt: Prompt) -> list[int]:
        """The prompt's token ids, at least one. Raises PromptError."""
        return _not_empty(self._encode(self.text(prompt)))

    def tokens(self, prompt: Prompt, position: Position = "start") -> Tokens:
        """The prompt's token ids, and where its parts begin: at the last token boundary at or
        before the place in the text.

        `start` is 0, or 1 after a beginning-of-sequence token that the tokenizer adds by itself;
        for `mid` and `end` see `ChatTemplate.place`. The header that opens the reply is
        `ids[place:]` at `end`. Raises PromptError.
        """
        text = self.text(prompt)
        begun = self._template.begun(prompt, text)
        at = None if position == "start" else self._template.place(prompt, text, position)
        ids, (begins, place) = self._cut_at(text, (begun, at))
        if position == "start":
            place = int(self._bos is not None and ids[:1] == [self._bos])
        inside = opens_thought(text, self.reasoning)
        return Tokens(ids=_not_empty(ids), begun=begins, place=place, inside=inside)

    def continuations(self, prompt: Prompt, texts: Sequence[str]) -> list[Continuation]:
        """Each text after the prompt, tokenised together with it; where the boundary merges, its
        tokens belong to the text.

        Raises PromptError, also where a text adds no token.
        """
        text = self.text(prompt)
        before = self.ids(prompt)
        at, head = self._cut(text, before)
        found = []
        for more in texts:
            ids = head + (
                self._encode(text + self._template.plain(more))
                if at == 0
                else self._ids(text[at:] + self._template.plain(more))
            )
            start = max(1, common_prefix(before, ids))
            if len(ids) <= start:
                raise PromptError(f"the continuation {more!r} adds no token to the prompt")
            found.append(Continuation(ids=tuple(ids), start=start))
        return found

    def _cut(self, text: str, ids: Sequence[int]) -> tuple[int, list[int]]:
        """A place between words near the end of a text where its tokens can be had in two parts,
        and those before it; else 0.

        A long prompt need not be tokenised again for each continuation. Whether the tokenizer
        allows the cut is tried out.
        """
        places = [
            match.start()
            for match in _BETWEEN_WORDS.finditer(
                text, max(0, len(text) - _TAIL), len(text) - _TAIL // 4
            )
        ]
        if not places:
            return 0, []
        tail = self._ids(text[places[0] :])
        head = list(ids[: len(ids) - len(tail)])
        if head and head + tail == list(ids) and head[-1:] == self._encode(text[: places[0]])[-1:]:
            return places[0], head
        return 0, []

    def reply_text(self, before: Sequence[int], reply: Sequence[int]) -> str:
        """The text of reply tokens after prompt tokens, without special tokens; a leading space
        survives.
        """
        tail = list(before[-4:])
        start = self._decode(tail)
        whole = self._decode([*tail, *reply])
        if start and whole.startswith(start):
            return whole[len(start) :]
        return self._decode(reply)

    def piece(self, token: int) -> str:
        """The token decoded alone; decoded with its neighbours it may give more text."""
        if token not in self._pieces:
            self._pieces[token] = self._decode([token])
        return self._pieces[token]

    def end_ids(self, generation_config: Any) -> frozenset[int]:
        """The tokens that end a reply: what the model's files name, and the usual end-of-turn
        tokens if the vocabulary has them.
        """
        ids: set[int] = set()
        for source in (self._tokenizer, generation_config):
            named = getattr(source, "eos_token_id", None)
            ids.update([named] if isinstance(named, int) else named or ())
        vocabulary = self._tokenizer.get_added_vocab()
        usual: tuple[str, ...] = (
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
            usual = tuple(token for token in usual if token != "<|end|>")
        return frozenset(ids | {vocabulary[token] for token in usual if token in vocabulary})

    def _encode(self, text: str) -> list[int]:
        return self._with_bos(self._ids(text))

    def _with_bos(self, ids: list[int]) -> list[int]:
        return [self._bos, *ids] if self._bos is not None and ids[:1] != [self._bos] else ids

    def _cut_at(self, text: str, places: Sequence[int | None]) -> tuple[list[int], list[int]]:
        """A text's tokens, and how many of them end at or before each of the places in it; 0 for
        None.
        """
        if not self._tokenizer.is_fast:
            ids = self._encode(text)
            return ids, [
                0 if at is None else common_prefix(self._encode(text[:at]), ids) for at in places
            ]
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, ends = self._with_bos(list(found.input_ids)), [end for _, end in found.offset_mapping]
        ends = [0] * (len(ids) - len(ends)) + ends
        return ids, [0 if at is None else bisect_right(ends, at) for at in places]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _decode(self, ids: Sequence[int]) -> str:
        if self._unsaid is not None:
            ids = [token for token in ids if token not in self._unsaid]
        text = self._tokenizer.decode(
            list(ids), skip_special_tokens=self._unsaid is None, clean_up_tokenization_spaces=False
        )
        return str(text)


def _not_empty(ids: list[int]) -> list[int]:
    if not ids:
        raise PromptError("the prompt is empty")
    return ids
