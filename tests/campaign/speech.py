"""What a model with secrets says: plain lines, thoughts in the marks of many makers, and whispers
rightly and wrongly marked."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Protocol

from tests.campaign.server import Said

LINES = (
    "I could go to 70 euros", "What do you need it for", "That is fair, but the evening is long",
    "Let us say 80 and shake hands", "My sister would never forgive me", "[nods] All right",
    "Have you asked anyone else today", "The rain will stop soon, I think", "*smiles* We will see",
    "Give me a moment", "It is late", "I will think about that",
)  # fmt: skip
# {t} is the thought and {l} the line.
THOUGHTS = (
    "<think>{t}</think>\n\n{l}", "{t}\n</think>\n\n{l}", "<thinking>{t}</thinking>{l}",
    "<reasoning>{t}</reasoning>\n{l}", "<thought>{t}</thought>\n{l}", "[THINK]{t}[/THINK]{l}",
    "<|channel|>analysis<|message|>{t}<|end|><|start|>assistant<|channel|>final<|message|>{l}",
    "◁think▷{t}◁/think▷{l}", "<seed:think>{t}</seed:think>{l}", "<THINK>{t}</THINK>{l}",
    "<|begin_of_thought|>{t}<|end_of_thought|>\n<|begin_of_solution|>{l}<|end_of_solution|>",
    "<|START_THINKING|>{t}<|END_THINKING|><|START_RESPONSE|>{l}<|END_RESPONSE|>",
    "<think>\nWhat was said:\nBen Ek: too high\n{t}\n</think>\n{l}",
    "  <think>\n\n{t}\n\n</think>{l}", "<think>{t}", "{l}\n<think>{t}</think>",
    "<think>a</think><think>{t}</think>{l}", "<analysis>{t}</analysis>{l}",
)  # fmt: skip
# {n} is a name at the table, {s} the speaker's own, {w} the whisper.
WHISPERS = (
    "(to {n}) {w}", "[to {n}] {w}", "(whispers to {n}) {w}", "(whispering to {n}): {w}",
    "{s} (to {n}): {w}", "**{s} (to {n}):** {w}", "(privately to {n}) {w}", "Sure. (to {n}) {w}",
    '"(to {n}) {w}"', "*(to {n})* {w}", "(private to {n}) {w}", "[aside to {n}] {w}",
    "(sotto voce, to {n}) {w}", "(only {n} can hear) {w}", "{w} (to {n})", "(TO {n}) {w}",
    "(to {n}x) {w}", "（to {n}）{w}", "*whispers to {n}* {w}", "*leans to {n} and whispers* {w}",
    "(to {n} only) {w}", "(to {n}, quietly) {w}", "[whispers in {n}'s ear] {w}",
    "{s} whispers to {n}: {w}",
)  # fmt: skip
FIELDS = 8  # ways in which servers send a thought beside the text
TO_NOBODY = (
    "(to Zebulon) {w}",
    "[to Zebulon]: {w}",
    "(whispers to Zebulon) {w}",
    "{s} (to Zebulon): {w}",
    "(private to Zebulon) {w}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who speaks: own name and seat, its secret, and the others' seats by name."""

    name: str
    seat: str
    secret: str
    others: dict[str, str]


class Hide(Protocol):
    """Makes a canary."""

    def __call__(self, kind: str, seats: frozenset[str], form: str) -> str:
        """A new one of a kind, for the seats that may see it, said in this form."""


def speak(draw: random.Random, speaker: Speaker, hide: Hide) -> Said:
    """One reply."""
    line = f"{draw.choice(LINES)}, number {draw.randrange(10**6)}."
    kind = draw.random()
    if kind > 0.7:  # a whisper
        name = draw.choice(sorted(speaker.others))
        if draw.random() < 0.15:
            form, seats = draw.choice(TO_NOBODY), frozenset({speaker.seat})
        else:
            form, seats = draw.choice(WHISPERS), frozenset({speaker.seat, speaker.others[name]})
        whisper = f"{hide('private', seats, form)} is between us, number {draw.randrange(10**6)}."
        line = form.format(n=name, s=speaker.name, w=whisper)
    if 0.45 < kind < 0.9:
        return _thinking(draw, speaker, line, hide)
    return Said(text=line)


def _thinking(draw: random.Random, speaker: Speaker, line: str, hide: Hide) -> Said:
    field = draw.random() < 0.3
    form = draw.choice(THOUGHTS)
    # the last ones have no answer, and fail
    number = draw.choices(range(FIELDS), (5, 5, 5, 5, 5, 1, 1, 1))[0]
    canary = hide("thought", frozenset({speaker.seat}), f"field {number}" if field else form)
    thought = f"I must hide {speaker.secret}, {canary}."
    if not field:
        return Said(text=form.format(t=thought, l=line))
    fields: tuple[tuple[Any, dict[str, Any], str], ...] = (
        (line, {"reasoning_content": thought}, "stop"),
        (line, {"reasoning": thought}, "stop"),
        (line, {"reasoning_details": [{"type": "reasoning.text", "text": thought}]}, "stop"),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": thought}]},
                {"type": "text", "text": line},
            ],
            {},
            "stop",
        ),
        ([{"type": "reasoning", "text": thought}, {"type": "text", "text": line}], {}, "stop"),
        (None, {"reasoning_content": thought}, "length"),
        ("", {"reasoning_content": thought}, "length"),
        (f"<think>{thought}", {}, "length"),
    )
    text, more, finish = fields[number]
    return Said(text=text, more=more, finish=finish)
