"""What a model wrote → a typed Action, tolerant of what small models write.

Own-name prefixes, quotes, mark-up and stage directions are taken off, and the reply ends where the model runs on as somebody else.
A stage direction in brackets or asterisks is a non-verbal act or an action, never speech; beside speech it is dropped (the raw
reply is stored). The words decide between the two kinds: gestures and looks are non-verbal, the rest are actions.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simworld.core.episode import Action, ActionKind, Observation

_DIRECTION = re.compile(
    r"\[([^\[\]]*)\]|\(((?:[^()]|\([^()]*\))*)\)|"
    r"(?<![\w*])\*{1,2}(?![\s*])([^*\n]+)(?<!\s)\*{1,2}(?!\w)|(?<!\w)_(?!\s)([^_\n]+)(?<!\s)_(?!\w)"
)
_UNCLOSED = re.compile(r"^\s*[\[(*]+([^\[\]()*]+)$")
_UNCLOSED_TAIL = re.compile(r"(?<=\s)(?:[\[(]|\*{1,2})(?=\w)[^\[\]()*]*$")
_PLACE = (
    r"(?:room|shop|store|house|building|office|apartment|flat|kitchen|caf[eé]|restaurant|bar|conversation|call|chat|scene|area|"
    r"place|premises|meeting|stage|party|hall|station)"
)
_LEAVING = re.compile(
    rf"(?i)^(?P<before>(?:\w+ ){{0,4}}?)(?:leaves(?! (?:a|an|her|him|his|it|my|the|their|them|your|you|some|one)\b)|"
    rf"leaves? (?:the|her|his|their|my|this) (?:\w+ )?{_PLACE}\b|(?<![\w ])leave\W*$|"
    r"(?:walks?|storms?|heads?) (?:away|off|out)\b|exits?\b|departs?\b|"
    r"hangs? up(?! (?:a|an|her|his|my|the|their) (?!phone|call))\b)"
)
_NOT_LEAVING = re.compile(
    r"(?i)\b(?:watch\w*|sees?|lets?|makes?|as|when|while|if|before|until|not|never|to|nearly|almost|about|and (?:he|she|they))\b"
)
_NOTHING = re.compile(
    r"(?i)^(?:\w+ ){0,2}?(?:does nothing|did nothing|says nothing|stays silent|remains silent|"
    r"silence|nothing|none)\W*$"
)
_GESTURE = re.compile(
    r"(?i)\b(?:nod|shake|smil|sigh|shrug|laugh|chuckl|grin|frown|look|glanc|gaz|star|gestur|wav|wink|blink|blush|cr(?:y|ie)|"
    r"weep|sob|roll|rais|lean|paus|hesitat|think|cough|clear|point|bow|squint|gulp|swallow|bit|cross|fold|hug|whisper)\w*\b"
)
_NAMED = r"((?:[^()\[\]]|\([^()]*\))+?)"  # a label may hold brackets of its own: `Ann (Doctor)`
_PRIVATE = re.compile(
    rf"(?i)[(\[]\s*(?:(?:whispers?|whispering|privately|quietly|aside)\s+)?to\s+{_NAMED}"
    r"(?:,?\s*(?:privately|only|alone))?\s*[)\]]\s*:?\s*"
)
_SAYING = r"(?:says?|said|repl(?:y|ies|ied)|asks?|asked|answers?|answered|adds?|added|continues?|continued|whispers?|whispered)"
_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»"}
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^“”]+)”")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|$)")
_MEANING = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f000-\U0001faff]")  # a letter, a digit or an emoji
_MACHINE = re.compile(r"<\|.*|</?s>.*", re.DOTALL)  # a server's special tokens, and what runs on after them
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people are called in a dialogue as one seat writes it."""

    own: tuple[str, ...]  # the seat's own names, longest first
    others: Mapping[str, str]  # what others are called → seat

    @classmethod
    def of(cls, observation: Observation) -> Names:
        """The names a seat may use, from its observation."""
        role = observation.seat.replace("-", " ").replace("_", " ")
        own = {observation.label, observation.persona.name, observation.persona.called, role}
        others = {other.label: other.seat for other in observation.others}
        for other in observation.others:
            if other.persona is not None:
                others.setdefault(other.persona.name, other.seat)
        return cls(own=tuple(sorted(own, key=len, reverse=True)), others=others)


def parse_reply(text: str, names: Names, *, cut: bool = False) -> Action | None:
    """The act a reply means, or None where nothing usable is left.

    Args:
        text: the model's reply.
        names: what the seat itself and the others are called.
        cut: the model was stopped at its token limit, so a half sentence at the end is dropped if a whole one remains.
    """
    text = _MACHINE.sub("", _THOUGHT.sub(" ", text))
    line = _own_part("\n".join(filter(None, (" ".join(line.split()) for line in text.splitlines()))), names)
    line, to = _addressees(line, names)
    line = _spoken(_without_own_name(line, names), names)
    line = _narrated(_without_emphasis(line), names)
    unclosed = _UNCLOSED.match(line)
    directions = [next(filter(None, groups), "").strip() for groups in _DIRECTION.findall(line)]
    speech = _DIRECTION.sub(" ", line)
    if directions:
        speech = re.sub(r"\s+(?=[.,;!?](?:\s|$))", "", speech)
    speech = _tidy(_UNCLOSED_TAIL.sub("", speech))
    if not directions and unclosed:
        directions, speech = [unclosed.group(1).strip()], ""
    if cut:
        speech = _whole_sentences(speech)
    said = [direction for direction in directions if _MEANING.search(direction) and not _of_another(direction, names)]
    if any(map(_leaving, said)):
        return Action(kind=ActionKind.leave, text=speech if _MEANING.search(speech) else "", to=to)
    if _MEANING.search(speech):
        return Action(kind=ActionKind.speak, text=speech, to=to)
    if not said:
        return None
    if all(_NOTHING.match(direction) for direction in said):
        return Action(kind=ActionKind.none)
    kind = ActionKind.non_verbal if _GESTURE.search(said[0]) else ActionKind.action
    return Action(kind=kind, text=_tidy(", ".join(said)), to=to)


def similarity(text: str, earlier: Sequence[str]) -> float:
    """How much of a line was said before, in [0, 1].

    The share of its word pairs that stand in one earlier line (the worst one) or, as in "no, no, no", earlier in the line
    itself. A line of one word was said before if an earlier line is that word.
    """
    pairs = _word_pairs(text)
    if not pairs:
        return 0.0
    new = set(pairs)
    lines: list[set[tuple[str, str]]] = [set(), *(set(_word_pairs(line)) for line in earlier)]
    return 1 - min(len(new - line) for line in lines) / len(pairs)


def _word_pairs(text: str) -> list[tuple[str, str]]:
    words = re.findall(r"\w+", text.casefold())
    return list(itertools.pairwise(words)) or [(word, "") for word in words]


def _own_part(text: str, names: Names) -> str:
    # What follows another speaker's label is not this seat's to say; nor is a second line under its own name.
    if names.others:
        either = _either(names.others)
        label = rf"(?:\[(?:{either})\]|\**(?:{either})\**)(?:\s*\((?:[^()]|\([^()]*\))*\))?\s*:"
        text = re.split(rf"(?im)^\s*{label}|(?-i:(?<=[\s*])(?<!\bto ){label})", text, maxsplit=1)[0]
    first, *_ = re.split(rf"(?i)(?<=\S)\s*\n\s*\**(?:{_either(names.own)})\**\s*:(?=[^\n]*\S)", text, maxsplit=1)
    if not re.sub(rf"(?i)[\W_]|{_either(names.own)}", "", first):
        first = text  # nothing but the label before it
    return re.sub(r"^\s*[-–—>•]\s+", "", first).strip()


def _without_own_name(line: str, names: Names) -> str:
    # `Nadia:`, `**Nadia:**`, `[Nadia]:`, `Nadia (smiling):`, `Nadia said:`, `Nadia says, "…`
    own = rf"[\"“\[(]?\**(?:{_either(names.own)})\**[\])]?"
    manner = r"(?:\s*(?:\([^()]*\)|\[[^\[\]]*\]|\*[^*:]*\*))?"
    while match := re.match(rf"(?i){own}(?:\s+{_SAYING})?{manner}\s*:\**\s*", line):
        line = line[match.end() :]
    match = re.match(rf"(?i){own}\s+{_SAYING}{manner}\s*,\s*(?=[\"“'‘])", line)
    return line[match.end() :] if match else line


def _spoken(line: str, names: Names) -> str:
    # `"Seventy," said Nadia. "Or eighty."` is told like a story; what stands in quotes was said.
    parts = [next(filter(None, groups)).strip() for groups in _QUOTED.findall(line)]
    if not parts or line[:1] not in {'"', "“"}:
        return line
    who = rf"(?:{_either(names.own)}|he|she|they|I)"
    if not re.match(rf"(?i)\s*(?:{_SAYING}\s+{who}|{who}\s+{_SAYING})\b", _QUOTED.sub(" ", line)):
        return line
    joined = " ".join(parts)
    return re.sub(r",(?= [^\W\d_a-zß-ÿ]|$)", ".", joined)  # a comma before the tag ends a sentence, unless it goes on


def _narrated(line: str, names: Names) -> str:
    # `Nadia nods.` alone on the line is a stage direction without its brackets.
    match = re.fullmatch(rf"(?:{_either(names.own)})\s+(\w+s\b[^.!?\"“”:]*)[.!]?", line)
    if match and (_GESTURE.match(match.group(1)) or _leaving(match.group(1))):
        return f"[{match.group(1)}]"
    return line


def _without_emphasis(line: str) -> str:
    # Asterisks in the middle of a sentence stress a word, unless they hold a gesture: `That is *really* good`.
    def plain(match: re.Match[str]) -> str:
        inner = match.group(3) or match.group(4)
        before, after = line[: match.start()].rstrip(), line[match.end() :]
        if not inner or not before or before[-1] in '.!?…"”*)]' or not re.match(r"[,;]?\s*\w|[.!?]", after):
            return match.group(0)
        gesture = _GESTURE.match(inner) and inner.split()[0].endswith("s")
        return match.group(0) if gesture else inner

    return _DIRECTION.sub(plain, line)


def _leaving(direction: str) -> bool:
    match = _LEAVING.match(direction)
    return bool(match and not _NOT_LEAVING.search(match.group("before")))


def _of_another(direction: str, names: Names) -> bool:
    # `[Buyer leaves]` is not this seat's to do.
    return bool(names.others and re.match(rf"(?i)(?:the )?(?:{_either(names.others)})\s+\w", direction))


def _either(labels: Iterable[str]) -> str:
    return "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))


def _addressees(line: str, names: Names) -> tuple[str, tuple[str, ...]]:
    # The mark may stand after the seat's own name: `Nadia (to Buyer): …`, as earlier lines were shown.
    start = re.match(rf"(?i)\**(?:{_either(names.own)})\**\s*:?\**\s*(?=[(\[])", line)
    told = re.match(rf"(?i)\**(?:{_either(names.own)}),? (?:whispers )?to ([^:()\[\]]+):\**\s*", line)
    match = told or _PRIVATE.match(line, start.end() if start else 0)
    if not match:
        return line, ()
    wanted = [re.sub(r"^the ", "", part.strip().casefold()) for part in re.split(r",|\band\b|&", match.group(1))]
    seats = {label.casefold(): seat for label, seat in names.others.items()}
    to = tuple(dict.fromkeys(seats[label] for label in wanted if label in seats))
    return (line[match.end() :], to) if to else (line, ())


def _tidy(text: str) -> str:
    text = " ".join(text.split()).strip(" *_")
    for opening, closing in _QUOTES.items():
        inner = re.sub(r"(?<=\w)['’](?=\w)", "", text[1:-1])  # an apostrophe is no quote
        if (
            len(text) > 1
            and text[0] == opening
            and text[-1] == closing
            and opening not in inner
            and closing not in inner
        ):
            return text[1:-1].strip()
    if len(re.findall('["“”]', text)) == 1:
        return text.strip('"“”').strip()
    return text


def _whole_sentences(text: str) -> str:
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else text
