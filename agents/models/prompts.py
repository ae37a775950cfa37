"""Prompts as token ids: chat templates with their quirks, plain text, and continuations that share a prompt.

What every prompt gets: its beginning-of-sequence token exactly once where the tokenizer adds one by itself, and no special token
that came from somebody's words (a model that writes `<|im_end|>` letter by letter must not end a turn with it).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from simworld.core.requests import ChatPrompt, Message, Prompt

_TAIL = 200  # characters
_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")
_ROLES = {"system": "", "user": "User: ", "assistant": "Assistant: "}


class PromptError(ValueError):
    """A prompt cannot be rendered for this model; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """A continuation as the model reads it: `ids[start:]` are scored, given everything before them."""

    ids: tuple[int, ...]  # prompt and continuation tokenised together
    start: int  # at least 1


class Renderer:
    """Renders prompts for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._specials = tuple(sorted({t for t in (*tokenizer.all_special_tokens, *added) if t}))
        empty = list(tokenizer("").input_ids)
        bos = tokenizer.bos_token_id
        self._bos: int | None = bos if bos is not None and empty[:1] == [bos] else None  # only if it is added unasked
        self._pieces: dict[int, str] = {}
        self.has_template = bool(tokenizer.chat_template)
        self._takes_system = self.has_template and self._accepts_system()

    def text(self, prompt: Prompt) -> str:
        """The prompt as the model reads it, the begun reply included. Raises PromptError."""
        if not isinstance(prompt, ChatPrompt):
            return self._plain(prompt.text)
        messages = self._normal(prompt.messages)
        reply_start = self._plain(prompt.reply_start)
        if not self.has_template:
            lines = [f"{_ROLES[role]}{text}" for role, text in messages]
            return "\n\n".join([*lines, "Assistant:"]) + (f" {reply_start}" if reply_start else "")
        return self._render(messages) + reply_start

    def ids(self, prompt: Prompt) -> list[int]:
        """The prompt's token ids, at least one. Raises PromptError."""
        ids = self._encode(self.text(prompt))
        if not ids:
            raise PromptError("the prompt is empty")
        return ids

    def begun(self, prompt: Prompt, ids: Sequence[int]) -> int:
        """Where in the prompt's `ids` its `reply_start` begins; 0 where there is none."""
        if not isinstance(prompt, ChatPrompt) or not prompt.reply_start:
            return 0
        return common_prefix(self.ids(replace(prompt, reply_start="")), ids)

    def continuations(self, prompt: Prompt, texts: Sequence[str]) -> list[Continuation]:
        """Each text after the prompt, tokenised together with it; where the boundary merges, its tokens belong to the text.

        Raises PromptError, also where a text adds no token.
        """
        text = self.text(prompt)
        before = self.ids(prompt)
        at, head = self._cut(text, before)
        found = []
        for more in texts:
            ids = head + (
                self._encode(text + self._plain(more)) if at == 0 else self._ids(text[at:] + self._plain(more))
            )
            start = max(1, common_prefix(before, ids))
            if len(ids) <= start:
                raise PromptError(f"the continuation {more!r} adds no token to the prompt")
            found.append(Continuation(ids=tuple(ids), start=start))
        return found

    def _cut(self, text: str, ids: Sequence[int]) -> tuple[int, list[int]]:
        """A place between words near the end of a text where its tokens can be had in two parts, and those before it; else 0.

        A long prompt need not be tokenised again for each continuation. Whether the tokenizer allows the cut is tried out.
        """
        places = [
            match.start() for match in _BETWEEN_WORDS.finditer(text, max(0, len(text) - _TAIL), len(text) - _TAIL // 4)
        ]
        if not places:
            return 0, []
        tail = self._ids(text[places[0] :])
        head = list(ids[: len(ids) - len(tail)])
        if head and head + tail == list(ids) and head[-1:] == self._encode(text[: places[0]])[-1:]:
            return places[0], head
        return 0, []

    def reply_text(self, before: Sequence[int], reply: Sequence[int]) -> str:
        """The text of reply tokens after prompt tokens, without special tokens; a leading space survives."""
        tail = list(before[-4:])
        start = self._decode(tail)
        whole = self._decode([*tail, *reply])
        if start and whole.startswith(start):
            return whole[len(start) :]
        return self._decode(reply)

    def piece(self, token: int) -> str:
        """The text of one token by itself, which may be less than it is worth in company."""
        if token not in self._pieces:
            self._pieces[token] = self._decode([token])
        return self._pieces[token]

    def end_ids(self, generation_config: Any) -> frozenset[int]:
        """The tokens that end a reply: what the model's files name, and the usual end-of-turn tokens if the vocabulary has them."""
        ids: set[int] = set()
        for source in (self._tokenizer, generation_config):
            named = getattr(source, "eos_token_id", None)
            ids.update([named] if isinstance(named, int) else named or ())
        vocabulary = self._tokenizer.get_added_vocab()
        usual = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>", "</s>")
        return frozenset(ids | {vocabulary[token] for token in usual if token in vocabulary})

    def _encode(self, text: str) -> list[int]:
        ids = self._ids(text)
        if self._bos is not None and ids[:1] != [self._bos]:
            ids.insert(0, self._bos)
        return ids

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _decode(self, ids: Sequence[int]) -> str:
        text = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)

    def _plain(self, text: str) -> str:
        """The text without special tokens, also without those that come about when others are taken out."""
        found = [token for token in self._specials if token in text]
        while found:
            for token in found:
                text = text.replace(token, "")
            found = [token for token in self._specials if token in text]
        return text

    def _normal(self, messages: Sequence[Message]) -> list[tuple[str, str]]:
        """(role, text) in the order templates insist on; system text merged into the first user message where it is refused."""
        turns: list[tuple[str, str]] = []
        for message in messages:
            text = self._plain(message.content)
            if turns and turns[-1][0] == message.role:
                turns[-1] = (message.role, f"{turns[-1][1]}\n\n{text}")
            else:
                turns.append((message.role, text))
        system = turns.pop(0)[1] if turns and turns[0][0] == "system" else ""
        roles = [role for role, _ in turns]
        if not turns or roles != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
            raise PromptError(f"messages must alternate, user first and user last; found {', '.join(roles) or 'none'}")
        if not system:
            return turns
        if self._takes_system or not self.has_template:
            return [("system", system), *turns]
        return [("user", f"{system}\n\n{turns[0][1]}"), *turns[1:]]

    def _render(self, turns: Sequence[tuple[str, str]]) -> str:
        import jinja2

        messages = [{"role": role, "content": text} for role, text in turns]
        try:
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:  # what templates make of odd messages
            raise PromptError(f"the model's chat template refuses the messages: {error}") from None

    def _accepts_system(self) -> bool:
        """Whether the template shows system text, tried out: some raise, some drop it without a word."""
        probe = "simworld-system-probe"
        try:
            return probe in self._render([("system", probe), ("user", "Hello.")])
        except PromptError:
            return False


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading elements are equal."""
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count
