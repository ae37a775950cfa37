"""Prompts as text: chat templates with their quirks, and where in the text instructions end and the
header of the reply begins.

No special token comes from somebody's words: a model that writes `<|im_end|>` letter by letter must
not end a turn with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from agents.lm.local.common_prefix import common_prefix_length
from agents.lm.reasoning import close_thought
from agents.lm.reasoning_marks import Reasoning
from simworld.core.requests import Message, Prompt, TextPrompt

_ROLE_PREFIXES = {"system": "", "user": "User: ", "assistant": "Assistant: "}
_PLAIN_HEADER = "Assistant:"  # where there is no template


class PromptError(ValueError):
    """A prompt cannot be rendered for this model; the message is one line."""


class ChatTemplate:
    """Renders prompts as text for one tokenizer."""

    def __init__(self, tokenizer: Any, reasoning: Reasoning | None = None) -> None:
        self._tokenizer = tokenizer
        self._reasoning = reasoning
        added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._special_tokens = tuple(
            sorted({t for t in (*tokenizer.all_special_tokens, *added) if t})
        )
        self._has_template = bool(tokenizer.chat_template)
        self._supports_system = self._has_template and self._accepts_system()

    def render(self, prompt: Prompt) -> str:
        """The prompt as the model reads it, the begun reply included. Raises PromptError."""
        if isinstance(prompt, TextPrompt):
            return self.remove_special_tokens(prompt.text)
        turns = self._place_system(*self._split_messages(prompt.messages))
        reply_start = self.remove_special_tokens(prompt.reply_start)
        if not self._has_template:
            lines = [f"{_ROLE_PREFIXES[role]}{text}" for role, text in turns]
            return "\n\n".join([*lines, _PLAIN_HEADER]) + (f" {reply_start}" if reply_start else "")
        rendered = self._apply_template(turns)
        # What is begun is said: a thought that the template opens is ended before it.
        return close_thought(rendered, self._reasoning) + reply_start if reply_start else rendered

    def reply_start_char(self, prompt: Prompt, text: str) -> int | None:
        """Where in a prompt's `text` its `reply_start` begins, in characters; None where there is
        none.
        """
        if isinstance(prompt, TextPrompt) or not (
            reply_start := self.remove_special_tokens(prompt.reply_start)
        ):
            return None
        return len(text) - len(reply_start)

    def prefix_char(self, prompt: Prompt, text: str, position: Literal["mid", "end"]) -> int:
        """Where in a prompt's `text` a prefix goes, in characters.

        `end`: before what the template adds for a reply; in a begun reply, which is a script,
        before its last line, the speaker's `Name:` (the whole of a reply of one line). A text
        prompt has no header: at its end. `mid`: where the begun reply begins, the script; else
        after the system message, or after its text where it stands in the first user message.

        Raises PromptError for `mid` where there are no instructions to stand behind.
        """
        reply_char = self.reply_start_char(prompt, text)
        if reply_char is not None:
            return (
                reply_char
                if position == "mid"
                else max(reply_char, text.rfind("\n", reply_char) + 1)
            )
        if isinstance(prompt, TextPrompt):
            if position == "mid":
                raise PromptError(
                    "a text prompt has no place between instructions and dialogue for a prefix at"
                    " 'mid'"
                )
            return len(text)
        system, turns = self._split_messages(prompt.messages)
        if position == "mid":
            return self._char_after_system(system, text)
        if not self._has_template:
            return len(text) - len(_PLAIN_HEADER)
        without_header = self._apply_template(self._place_system(system, turns), header=False)
        return common_prefix_length(text, without_header)

    def remove_special_tokens(self, text: str) -> str:
        """The text without special tokens, also without those that come about when others are taken
        out.
        """
        special_tokens = [token for token in self._special_tokens if token in text]
        while special_tokens:
            for token in special_tokens:
                text = text.replace(token, "")
            special_tokens = [token for token in self._special_tokens if token in text]
        return text

    def _char_after_system(self, system: str, text: str) -> int:
        if not system:
            raise PromptError(
                "a prefix at 'mid' needs a system message before it, or a begun reply after it"
            )
        if self._supports_system:
            try:
                head = self._apply_template([("system", system)], header=False)
            except PromptError:  # many templates want a user message too
                head = ""
            if system.strip() in head and text.startswith(head):
                return len(head)
        for system_text in (f"{system}\n\n", system.strip()):
            if (at := text.find(system_text)) >= 0:
                return at + len(system_text)
        raise PromptError(
            "the model's chat template changes the system text: there is no place for a prefix at"
            " 'mid'"
        )

    def _split_messages(self, messages: Sequence[Message]) -> tuple[str, list[tuple[str, str]]]:
        """The system text, and (role, text) in the order templates insist on; neighbours of one
        role are joined.
        """
        merged: list[tuple[str, str]] = []
        for message in messages:
            text = self.remove_special_tokens(message.content)
            if merged and merged[-1][0] == message.role:
                merged[-1] = (message.role, f"{merged[-1][1]}\n\n{text}")
            else:
                merged.append((message.role, text))
        system = merged.pop(0)[1] if merged and merged[0][0] == "system" else ""
        roles = [role for role, _ in merged]
        if not merged or roles != ["user", "assistant"] * (len(merged) // 2) + ["user"]:
            raise PromptError(
                "messages must alternate, user first and user last; found"
                f" {', '.join(roles) or 'none'}"
            )
        return system, merged

    def _place_system(self, system: str, turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """All messages; the system text merged into the first user message where it is refused."""
        if not system:
            return list(turns)
        if self._supports_system or not self._has_template:
            return [("system", system), *turns]
        return [("user", f"{system}\n\n{turns[0][1]}"), *turns[1:]]

    def _apply_template(self, messages: Sequence[tuple[str, str]], *, header: bool = True) -> str:
        import jinja2

        chat = [{"role": role, "content": text} for role, text in messages]
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    chat, tokenize=False, add_generation_prompt=header
                )
            )
        except (
            jinja2.TemplateError,
            TypeError,
            ValueError,
            KeyError,
        ) as error:  # what templates make of odd messages
            raise PromptError(f"the model's chat template refuses the messages: {error}") from None

    def _accepts_system(self) -> bool:
        """Whether the template shows system text, tried out: some raise, some drop it without a
        word.
        """
        probe = "simworld-system-probe"
        try:
            return probe in self._apply_template([("system", probe), ("user", "Hello.")])
        except PromptError:
            return False
