"""Sotopia's markup: who may read which part of a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_TAG = re.compile(r"<(/?)([a-z_]+)((?:\s+[a-z_]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*>")
_VIEWER = re.compile(r"viewer\s*=\s*[\"']([^\"']*)[\"']")
_AGENT = re.compile(r"agent_(\d+)")
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]")

# tag → its label in the text, and what the source itself may begin with
_LABELLED_TAGS = {
    "extra_info": ("Extra information", re.compile(r"(?i)^\s*extra information\s*:\s*")),
    "strategy_hint": ("Strategy hint", re.compile(r"(?i)^\s*(strategy )?hint\s*:\s*")),
    "clarification_hint": (
        "Clarification hint",
        re.compile(r"(?i)^\s*(clarification )?hint\s*:\s*"),
    ),
}
_ADDRESSED_TAGS = ("p", "root")  # who reads them is said by `viewer`


class MarkupError(ValueError):
    """A tag that is not closed or not opened, or a viewer that does not exist."""


@dataclass(slots=True)
class TextParts:
    """A text sorted by readers."""

    public: list[str] = field(default_factory=list)  # for the reader of the whole text
    judge: list[str] = field(default_factory=list)
    # seat (None: the text's own reader), paragraph
    knows: list[tuple[int | None, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What stays in the text itself, tidied where tags were cut out."""
        return tidy_text("".join(self.public))


@dataclass(slots=True)
class _OpenTag:
    tag: str
    viewers: tuple[str, ...]
    insert_at: int  # among the paragraphs, so that an outer part comes before the parts inside it
    pieces: list[str] = field(default_factory=list)


def read_markup(text: str, seats: int) -> TextParts:
    """A text with `<p viewer=…>`, `<extra_info>` and hints, sorted by who may read it. Unknown tags
    stay as they are.

    Raises MarkupError for tags that do not match and for viewers beyond the `seats` there are.
    """
    parts = TextParts()
    stack: list[_OpenTag] = []
    end = 0
    for match in _TAG.finditer(text):
        closing, tag, attributes = match[1] == "/", match[2], match[3]
        if tag not in _LABELLED_TAGS and tag not in _ADDRESSED_TAGS:
            continue
        (stack[-1].pieces if stack else parts.public).append(text[end : match.start()])
        end = match.end()
        if not closing:
            stack.append(_OpenTag(tag, _viewers(tag, attributes, seats), len(parts.knows)))
        elif not stack or stack[-1].tag != tag:
            raise MarkupError(
                f"</{tag}> closes nothing" if not stack else f"</{tag}> inside <{stack[-1].tag}>"
            )
        else:
            _close_tag(stack.pop(), parts, stack)
    if stack:
        raise MarkupError(f"<{stack[-1].tag}> is not closed")
    parts.public.append(text[end:])
    return parts


def tidy_text(text: str) -> str:
    """The text without empty brackets, doubled blanks and blank lines."""
    text = _EMPTY_BRACKETS.sub("", text)
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _viewers(tag: str, attributes: str, seats: int) -> tuple[str, ...]:
    if tag in _LABELLED_TAGS:
        return ()
    attribute = _VIEWER.search(attributes)
    viewers = tuple(viewer.strip() for viewer in attribute[1].split(",")) if attribute else ("all",)
    for viewer in viewers:
        agent = _AGENT.fullmatch(viewer)
        if (agent and int(agent[1]) >= seats) or (
            not agent and viewer not in ("environment", "all", "")
        ):
            raise MarkupError(
                f"unknown viewer '{viewer}'; expected environment, all or agent_0 to"
                f" agent_{seats - 1}"
            )
    return viewers


def _close_tag(part: _OpenTag, parts: TextParts, stack: Sequence[_OpenTag]) -> None:
    text = "".join(part.pieces)
    if part.tag in _LABELLED_TAGS:
        label, own_label = _LABELLED_TAGS[part.tag]
        content = tidy_text(own_label.sub("", text))
        owner = _innermost_viewer(stack)
        paragraph = f"{label}: {content}"
        if not content:
            return
        if owner == "environment":
            parts.judge.append(paragraph)
        else:
            agent = _AGENT.fullmatch(owner)
            parts.knows.insert(part.insert_at, (int(agent[1]) if agent else None, paragraph))
        return
    for viewer in part.viewers:
        agent = _AGENT.fullmatch(viewer)
        if viewer == "environment":
            parts.judge.append(tidy_text(text))
        elif agent:
            parts.knows.append((int(agent[1]), tidy_text(text)))
        else:
            (stack[-1].pieces if stack else parts.public).append(text)


def _innermost_viewer(stack: Sequence[_OpenTag]) -> str:
    """The viewer of the innermost addressed part around a labelled one, or empty: the text's own
    reader.
    """
    for part in reversed(stack):
        if part.viewers:
            return part.viewers[0]
    return ""
