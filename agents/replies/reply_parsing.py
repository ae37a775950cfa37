"""What a model wrote → a typed Action, tolerant of what small models write.

Own-name prefixes, quotes, mark-up and stage directions are taken off, and the reply ends where the
model runs on as somebody else. A stage direction in brackets or asterisks is a non-verbal act or an
action, never speech; beside speech it is dropped (the raw reply is stored). The words decide
between the two kinds: gestures and looks are non-verbal, the rest are actions. Every step takes
time in proportion to the reply.
"""

from __future__ import annotations

import re
import unicodedata

from agents.replies.direction_patterns import OTHER_LANGUAGES
from agents.replies.people_names import PeopleNames, any_label
from agents.replies.privacy import UnresolvedAddressee, read_private_line
from agents.replies.privacy_marks import MEANINGFUL
from agents.replies.speaker_labels import SPEECH_VERBS, cut_at_other_speaker, without_own_name
from agents.replies.stage_directions import find_stage_directions, is_emphasis, remove_parts
from agents.replies.thoughts import remove_thoughts
from simworld.core.episode import Action, ActionKind

# characters of a reply that are read, some 10,000 tokens; what is beyond is dropped, as where a
# model was cut
MAX_REPLY_CHARS = 40_000
_PLACES_TO_LEAVE = (
    r"(?:room|shop|store|house|building|office|apartment|flat|kitchen|caf[eé]|restaurant|bar|"
    r"conversation|call|chat|scene|area|"
    r"place|premises|meeting|stage|party|hall|station)"
)
_LEAVING = re.compile(
    rf"(?i)^(?P<before>(?:\w+ ){{0,4}}?)(?:leaves(?!"
    rf" (?:a|an|her|him|his|it|my|the|their|them|your|you|some|one)\b)|"
    rf"leaves? (?:the|her|his|their|my|this) (?:\w+ )?{_PLACES_TO_LEAVE}\b|(?<![\w ])leave\W*$|"
    r"(?:walks?|storms?|heads?) (?:away|off|out)\b|exits?\b|departs?\b|"
    r"hangs? up(?! (?:a|an|her|his|my|the|their) (?!phone|call))\b)"
)
_NOT_LEAVING = re.compile(
    r"(?i)\b(?:watch\w*|sees?|lets?|makes?|as|when|while|if|before|until|not|never|to|nearly|"
    r"almost|about|and"
    r" (?:he|she|they))\b"
)
_NOTHING = re.compile(
    r"(?i)^(?:\w+ ){0,2}?(?:does nothing|did nothing|says nothing|stays silent|remains silent|"
    r"silence|nothing|none)\W*$"
)
_GESTURE = re.compile(
    r"(?i)\b(?:nod|shake|smil|sigh|shrug|laugh|chuckl|grin|frown|look|glanc|gaz|star|gestur|"
    r"wav|wink|blink|blush|cr(?:y|ie)|"
    r"weep|sob|roll|rais|lean|paus|hesitat|think|cough|clear|point|bow|squint|gulp|swallow|"
    r"bit|cross|fold|hug|whisper)\w*\b"
)
_LEAVING_ELSEWHERE = re.compile(
    "(?i)" + "|".join(f"(?:{words.leaving})" for words in OTHER_LANGUAGES)
)
_NOTHING_ELSEWHERE = re.compile(
    "(?i)(?:" + "|".join(words.silence for words in OTHER_LANGUAGES) + r")\W*"
)
_GESTURE_ELSEWHERE = re.compile("(?i)" + "|".join(words.gestures for words in OTHER_LANGUAGES))
_THOUGHT = re.compile(
    r"(?i)(?:(?:inner|internal|private) (?:thoughts?|monologue|voice)|thoughts?|thinks?|thinking)\b"
    r"(?:\s*[:：\"“]|.*\b(?:I|I['’]\w+|my|me)\b|.*\b(?:to|about)"
    r" (?:her|him|them|my)sel(?:f|ves)\b\s*[:：,\"“])"
)
_UNCLOSED = re.compile(r"^\s*[\[(*（［【]+([^\[\]()*（）［］【】]+)$")
_UNCLOSED_TAIL = re.compile(r"(?:(?<=\s)(?:[\[(]|\*{1,2})|[（［【])(?=\w)[^\[\]()*（）［］【】]*$")
_ESCAPED_MARKUP = re.compile(r"\\([*_\[\]()~`])")  # as Markdown shields what would be mark-up
_EMPHASIS_TAG = re.compile(r"(?i)</?(?:b|i|em|strong|u|small)>")
_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»", "「": "」", "『": "』", "„": "“"}
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^“”]+)”")
_SENTENCE_END = re.compile(r"[.!?…؟۔][\"'”’)\]]*(?=\s|$)|[。！？]+[\"'”’」』）】]*")


def parse_reply(
    text: str, names: PeopleNames, *, truncated: bool = False
) -> Action | UnresolvedAddressee | None:
    """The act a reply means; None where nothing usable is left; UnresolvedAddressee where it is not
    clear whom it is for.

    Args:
        text: the model's reply. Beyond `MAX_REPLY_CHARS` characters it is dropped.
        names: what the seat itself and the others are called.
        truncated: the model was stopped at its token limit, so a half sentence at the end is
            dropped if a whole one remains.
    """
    if len(text) > MAX_REPLY_CHARS:
        text, truncated = text[:MAX_REPLY_CHARS], True
    text = unicodedata.normalize("NFC", remove_thoughts(text))
    text = _EMPHASIS_TAG.sub("*", _ESCAPED_MARKUP.sub(r"\1", text))
    line = cut_at_other_speaker(
        "\n".join(filter(None, (" ".join(line.split()) for line in text.splitlines()))), names
    )
    private = read_private_line(line, names)
    if isinstance(private, UnresolvedAddressee):
        return private
    line, to = private.line, private.to
    line = _join_quoted_speech(without_own_name(line, names), names)
    line = _bracket_narration(_without_emphasis(line), names)
    unclosed = _UNCLOSED.match(line)
    directions = find_stage_directions(line)
    deeds = [direction.inner for direction in directions]
    speech = " ".join(remove_parts(line, directions).split())
    if deeds:
        speech = re.sub(r" (?=[.,;!?](?: |$))", "", speech)
    speech = _strip_outer_quotes(_UNCLOSED_TAIL.sub("", speech))
    if not deeds and unclosed:
        deeds, speech = [unclosed.group(1).strip()], ""
    if truncated:
        speech = _whole_sentences(speech)
    return _make_action(speech, [inner for inner in deeds if _is_own_act(inner, names)], to)


def _make_action(speech: str, deeds: list[str], to: tuple[str, ...]) -> Action | None:
    if any(map(_is_leaving, deeds)):
        return Action(
            kind=ActionKind.leave, text=speech if MEANINGFUL.search(speech) else "", to=to
        )
    if MEANINGFUL.search(speech):
        return Action(kind=ActionKind.speak, text=speech, to=to)
    if not deeds:
        return None
    if all(
        _NOTHING.match(direction) or _NOTHING_ELSEWHERE.fullmatch(direction) for direction in deeds
    ):
        return Action(kind=ActionKind.none)
    gesture = _GESTURE.search(deeds[0]) or _GESTURE_ELSEWHERE.search(deeds[0])
    kind = ActionKind.non_verbal if gesture else ActionKind.action
    return Action(kind=kind, text=_strip_outer_quotes(", ".join(deeds)), to=to)


def _is_own_act(direction: str, names: PeopleNames) -> bool:
    # `[Buyer leaves]` is not this seat's to do, and `[thinks: I could go lower]` nobody's to see.
    if not MEANINGFUL.search(direction) or _THOUGHT.match(direction):
        return False
    return not (
        names.others and re.match(rf"(?i)(?:the )?(?:{any_label(names.others)})\s+\w", direction)
    )


def _is_leaving(direction: str) -> bool:
    match = _LEAVING.match(direction)
    if match and not _NOT_LEAVING.search(match.group("before")):
        return True
    return bool(_LEAVING_ELSEWHERE.match(direction))


def _join_quoted_speech(line: str, names: PeopleNames) -> str:
    # `"Seventy," said Nadia. "Or eighty."` is told like a story; what stands in quotes was said.
    parts = [next(filter(None, groups)).strip() for groups in _QUOTED.findall(line)]
    if not parts or line[:1] not in {'"', "“"}:
        return line
    who = rf"(?:{any_label(names.own)}|he|she|they|I)"
    if not re.match(
        rf"(?i)\s*(?:{SPEECH_VERBS}\s+{who}|{who}\s+{SPEECH_VERBS})\b", _QUOTED.sub(" ", line)
    ):
        return line
    joined = " ".join(parts)
    # a comma before the tag ends a sentence, unless it goes on
    return re.sub(r",(?= [^\W\d_a-zß-ÿ]|$)", ".", joined)


def _bracket_narration(line: str, names: PeopleNames) -> str:
    # `Nadia nods.` alone on the line is a stage direction without its brackets.
    match = re.fullmatch(
        rf"(?:{any_label(names.own)})\s*([^.!?\"“”:：「」。！？]{{1,100}})[.!。]?", line
    )
    if match is None or "\n" in line:
        return line
    deed = match.group(1)
    english = re.match(r"\s+(\w+s\b)", line[match.start(1) - 1 :]) and (
        _GESTURE.match(deed) or _is_leaving(deed)
    )
    return (
        f"[{deed}]"
        if english or _GESTURE_ELSEWHERE.match(deed) or _LEAVING_ELSEWHERE.match(deed)
        else line
    )


def _without_emphasis(line: str) -> str:
    # Asterisks in the middle of a sentence stress a word, unless they hold a gesture: `That is
    # *really* good`.
    if not re.search("[*_＊]", line):
        return line
    kept: list[str] = []
    at = 0
    for part in find_stage_directions(line):
        gesture = part.inner.split(" ")[0].endswith("s") and _GESTURE.match(part.inner)
        if not part.is_bracketed and not gesture and is_emphasis(line, part):
            kept += [line[at : part.start], part.inner]
            at = part.end
    return "".join([*kept, line[at:]])


def _strip_outer_quotes(text: str) -> str:
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
