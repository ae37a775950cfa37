"""What a model thought, told apart from what it says: a reply's text → answer and thought. Thoughts
are never speech.

Models mark their thoughts in many ways, and the marks are not always whole: a chat template may
open the block itself, so that the reply has the closing mark alone, and a token limit or a stop
string may end it inside the thought. In doubt it was a thought.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from agents.lm.reasoning_marks import Reasoning, ReasoningMarks
from simworld.core.counts import counted
from simworld.core.errors import Failure, model_failure

_THOUGHT_WORDS = (
    r"(?:\w{1,20}[_:])?(?:think(?:ing)?|thoughts?|(?:think(?:ing)?|thought)[_"
    r" -]?process|reason(?:ing)?|reflect(?:ion)?|analysis|"
    r"scratch[_-]?pad|(?:inner|internal)[_"
    r" -]?(?:thoughts?|monologue|voice)|monologue|deliberation|plan(?:ning)?|cot|"
    r"chain[_ -]of[_ -]thought)"
)
_ANSWER_WORDS = (
    r"(?:answer|response|output|final|final[_ ]?answer|final[_ ]?response|solution|reply)"
)
_BAR = "[|｜]?"  # `<think>` and `<|think|>`
_GAP = "[_▁ -]"
# Each open or close stands for one maker's way; those of Harmony (gpt-oss) name a channel, of which
# `final` alone is said.
_OPEN = (
    # DeepSeek, Qwen, Phi, Seed, EXAONE, Hunyuan, ERNIE, Nova, LongCat, OpenThinker, Cohere, Solar …
    rf"<\s*{_BAR}(?:(?:begin|start){_GAP}(?:of{_GAP})?)?{_THOUGHT_WORDS}(?:{_GAP}(?:begin|"
    rf"start))?(?:\s[^<>\n]{{0,80}})?{_BAR}>",
    r"\[(?-i:THINK(?:ING)?|THOUGHTS?|REASONING)\]",  # Magistral
    rf"◁\s*{_THOUGHT_WORDS}\s*▷",  # Kimi
    r"<\|inner_prefix\|>",  # Apertus
    r"<\|im_start\|>\s*think\b",  # s1
    r"<\|channel>\w*",  # Gemma 4
    r"<\|channel\|>(?!\s*final\b)[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?(?:<\|message\|>)?",
)
_CLOSE = (
    rf"<\s*{_BAR}(?:/\s*|(?:end|stop){_GAP}(?:of{_GAP})?){_THOUGHT_WORDS}\s*{_BAR}>",
    rf"<\s*{_BAR}{_THOUGHT_WORDS}{_GAP}(?:end|stop)\s*{_BAR}>",
    r"\[/\s*(?:THINK(?:ING)?|THOUGHTS?|REASONING)\s*\]",
    rf"◁\s*/\s*{_THOUGHT_WORDS}\s*▷",
    r"<\|inner_suffix\|>",
    r"<\|im_start\|>\s*answer\b",
    r"<channel\|>",
    r"<\|channel\|>\s*final\b[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>",
    rf"<\s*{_ANSWER_WORDS}\s*>",
    r"<[|｜](?:begin[_▁]of[_▁]|start[_▁])(?:solution|answer|response|text|output)[|｜]>",
    r"<\|content\|>",  # Solar
)
_DROPPED = (  # what stands around an answer and means nothing
    rf"<\s*/\s*{_ANSWER_WORDS}\s*>",
    r"<[|｜](?:end[_▁]of[_▁]|end[_▁])(?:solution|answer|response|text|output|action)[|｜]>",
    r"<\|(?:start|begin)\|>\s*assistant",
)
_HARMONY = frozenset({"<|channel|>", "<|message|>", "<|constrain|>"})
_CHANNEL_END = r"<\|(?:end|return|call)\|>"  # of one channel
_MARK = re.compile(
    r"(?i)(?=<\s{0,8}[/|｜]{0,2}\s{0,8}\w|\[[/TR]|◁)"  # most of what is no mark goes here, fast
    rf"(?:(?P<close>{'|'.join(_CLOSE)})|(?P<open>{'|'.join(_OPEN)})|(?P<end>{_CHANNEL_END})|"
    rf"(?P<drop>{'|'.join(_DROPPED)}))"
)
# Marks that are plain words count only where they begin the reply, and end only what they began;
# the last must be ended.
_PLAIN_WORD_MARKS = (
    (
        re.compile(r"\A\s*(?:Here's|Here is) my thought process:?"),
        re.compile(r"(?:Here's|Here is) my response:?"),
    ),  # Granite
    # Harmony, its marks taken out
    (re.compile(r"\A\s*analysis(?=[A-Z\"'])"), re.compile(r"assistant\s*final(?=\S)")),
    (re.compile(rf"\A\s*```\s*(?i:{_THOUGHT_WORDS})\b"), re.compile(r"```")),
)
_HEADING_MARKS = (
    re.compile(
        r"(?i)\A[\s*#_]*(?:thoughts?|thinking|reasoning|analysis|(?:internal|inner)"
        r" monologue)[*_]*\s*:"
    ),
    re.compile(
        r"(?im)^[ \t*#_]{0,10}(?:final )?(?:answer|response|reply|output|speech)[*_]*\s*:[*_]*"
    ),
)
_CUT_MARK = re.compile(r"(?:<[|｜]?|◁|\[(?=/|THI|REA))\s*(?P<close>/?)\s*[\w:|｜▁]{0,24}\Z")
# Models whose chat templates open a thought in the prompt, so that a reply cut short has no mark at
# all.
_THINKERS = re.compile(
    r"(?i)deepseek-?r1|\br1\b|qwq|qvq|[-_:]thinking\b|[-_:]reason(?:er|ing)\b|[-_:]think\b|"
    r"magistral|gpt-oss|phi-4-reasoning|marco-o1|"
    r"skywork-o1|openthinker|exaone-deep|minimax-m[12]|nemotron-nano|seed-oss|s1\.1"
)

ThoughtState = Literal["none", "closed", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReply:
    """A model's text in its two parts."""

    answer: str
    thought: str
    # none: nothing was thought aloud; closed: a thought was ended; open: the text ends inside one
    state: ThoughtState
    # a closing mark came without its opening one: the prompt had opened the thought
    unopened: bool = False
    answer_start: int = 0  # where in the text the answer begins, after the last closing mark


def split_thought(
    text: str,
    reasoning: Reasoning | None = None,
    *,
    in_thought: bool = False,
    truncated: bool = False,
) -> SplitReply:
    """The answer and the thought in a text; linear in its length.

    Whatever stands before a closing mark that nothing opened is thought.

    Args:
        text: as the model wrote it.
        reasoning: the model's own marks, which count beside the usual ones; "off": all is answer.
        in_thought: the text begins inside a thought.
        truncated: the text ended at the token limit, so that its last mark may be a part of one.
    """
    if reasoning == "off":
        return SplitReply(answer=text, thought="", state="none")
    answers: list[str] = []
    thoughts: list[str] = []
    thinking, has_marks, unopened, pos, answer_start = (in_thought, in_thought, False, 0, 0)
    for start, end, kind in _find_marks(text, reasoning):
        (thoughts if thinking else answers).append(text[pos:start])
        pos = end
        if kind == "open":
            thinking = has_marks = True
        elif kind == "close":
            if not thinking:  # nothing opened it: all that came before was thought
                unopened = unopened or any(map(str.strip, answers))
                thoughts += answers
                answers.clear()
            thinking, has_marks, answer_start = False, True, end
        elif kind == "end" and answer_start and not thinking and any(map(str.strip, answers)):
            pos = len(text)  # what a model runs on with after its answer
            break
    cut_mark = _CUT_MARK.search(text[max(pos, len(text) - 40) :]) if truncated else None
    rest = text[pos : len(text) - (len(cut_mark[0]) if cut_mark else 0)]
    if cut_mark and cut_mark["close"] and not thinking:
        thoughts += [*answers, rest]
        return SplitReply(answer="", thought=_join_thoughts(thoughts), state="open")
    if not has_marks:
        return SplitReply(
            answer=text[: len(text) - (len(cut_mark[0]) if cut_mark else 0)],
            thought="",
            state="none",
        )
    (thoughts if thinking else answers).append(rest)
    state: ThoughtState = "open" if thinking else "closed"
    return SplitReply(
        answer="".join(answers).strip(),
        thought=_join_thoughts(thoughts),
        state=state,
        unopened=unopened,
        answer_start=answer_start,
    )


def split_json_reply(
    text: str, reasoning: Reasoning | None = None, *, truncated: bool = False
) -> SplitReply:
    """As `split_thought`, for a text that may be one JSON value: marks inside its strings are no
    marks.
    """
    if text.lstrip()[:1] in {"{", "["} and not truncated:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return SplitReply(answer=text, thought="", state="none")
    return split_thought(text, reasoning, truncated=truncated)


def ends_in_thought(prompt: str, reasoning: Reasoning | None = None) -> bool:
    """Whether a rendered prompt ends inside a thought that its template has opened."""
    if reasoning == "off":
        return False
    tail = prompt[-200:].rstrip()
    last = max(_find_marks(tail, reasoning), default=(0, 0, ""), key=lambda mark: mark[1])
    return last[2] == "open" and last[1] == len(tail)


def close_thought(prompt: str, reasoning: Reasoning | None = None) -> str:
    """A rendered prompt with the thought ended that its template has opened, so that the reply can
    begin; else as it is.
    """
    if not ends_in_thought(prompt, reasoning):
        return prompt
    if isinstance(reasoning, ReasoningMarks) and prompt.rstrip().endswith(reasoning.open):
        return f"{prompt}{reasoning.close}\n\n"
    mark = re.search(r"(?:<(?!\|)[^<>]*>|\[[A-Z]+\]|◁[^▷]*▷)\s*\Z", prompt)
    return f"{prompt}\n{mark[0].rstrip()[0]}/{mark[0].rstrip()[1:]}\n\n" if mark else prompt


def is_known_thinker(model: str) -> bool:
    """Whether a model of this name is known to think before each reply."""
    return bool(_THINKERS.search(model))


def thinking_limit_failure(limit: int, tokens: int | None) -> Failure:
    """The failure of a reply whose tokens all went into its thought."""
    spent = f" ({counted(tokens, 'token')} of thought)" if tokens else ""
    message = (
        f"the token limit of {limit} was spent on thinking{spent}; raise max_new_tokens, or switch"
        " thinking off or down: for a server by extra_body, {chat_template_kwargs:"
        " {enable_thinking: false}} or {reasoning_effort: low} for example"
    )
    return model_failure("thinking", message)


def is_reasoning_mark(token: str, reasoning: Reasoning | None = None) -> bool:
    """Whether the text of one token is a mark, so that it must not be left out as a special
    token.
    """
    return token in _HARMONY or any(
        kind in ("open", "close") for *_, kind in _find_marks(token, reasoning)
    )


def _find_marks(text: str, reasoning: Reasoning | None) -> list[tuple[int, int, str]]:
    """The marks in a text, none over another, in order: start, end, and open, close, end or
    drop.
    """
    marks = [(m.start(), m.end(), str(m.lastgroup)) for m in _MARK.finditer(text)]
    for opening, closing in _PLAIN_WORD_MARKS:
        if first := opening.search(text):
            marks.append((first.start(), first.end(), "open"))
            marks += [(m.start(), m.end(), "close") for m in closing.finditer(text, first.end())]
    if (head := _HEADING_MARKS[0].match(text)) and (
        end := _HEADING_MARKS[1].search(text, head.end())
    ):
        marks += [(head.start(), head.end(), "open"), (end.start(), end.end(), "close")]
    if isinstance(reasoning, ReasoningMarks):
        for kind, mark in (("close", reasoning.close), ("open", reasoning.open)):
            marks += [(m.start(), m.end(), kind) for m in re.finditer(re.escape(mark), text)]
        if reasoning.open == reasoning.close:
            marks = _alternate_marks(marks, reasoning.open)
    ordered: list[tuple[int, int, str]] = []
    for mark_span in sorted(set(marks)):
        if not ordered or mark_span[0] >= ordered[-1][1]:
            ordered.append(mark_span)
    return ordered


def _alternate_marks(marks: list[tuple[int, int, str]], mark: str) -> list[tuple[int, int, str]]:
    """One mark for both ends opens and closes in turns."""
    spans = sorted({(start, end) for start, end, _ in marks if end - start == len(mark)})
    others = [(start, end, kind) for start, end, kind in marks if (start, end) not in spans]
    return others + [
        (start, end, "close" if i % 2 else "open") for i, (start, end) in enumerate(spans)
    ]


def _join_thoughts(thoughts: list[str]) -> str:
    return "\n".join(filter(None, (thought.strip() for thought in thoughts)))
