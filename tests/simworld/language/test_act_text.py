"""Acts as people are shown them, in seven languages."""

from __future__ import annotations

import pytest

from simworld.core.episode import Action, ActionKind
from simworld.language import language_codes
from simworld.language.act_text import describe_act, privacy_words, speaker_separator

BYE = Action(kind=ActionKind.leave, text="…")
GONE = Action(kind=ActionKind.leave)
NOTHING = Action(kind=ActionKind.none)
# for A and B alone, the colon, leaving with and without a word, silence
SHOWN = {
    "ar": (" (إلى A وB فقط)", ": ", "مغادرة: …", "مغادرة", "صمت"),
    "de": (" (nur zu A und B)", ": ", "geht: …", "geht", "schweigt"),
    "en": (" (only to A, B)", ": ", "leaves: …", "leaves", "does nothing"),
    "es": (" (solo a A y B)", ": ", "se va: …", "se va", "no dice nada"),
    "fr": (" (à A et B seulement)", " : ", "s'en va : …", "s'en va", "ne dit rien"),
    "ja": ("（AとBだけに）", "：", "立ち去る：…", "立ち去る", "黙っている"),
    "zh": ("（只对A和B说）", "：", "离开：…", "离开", "沉默"),
}


def test_every_language_is_here() -> None:
    assert tuple(SHOWN) == language_codes()


@pytest.mark.parametrize("code", SHOWN)
def test_marks_are_of_the_scenarios_language(code: str) -> None:
    before, between, after = privacy_words(code)
    shown = (
        before + between.join("AB") + after,
        speaker_separator(code),
        describe_act(BYE, code),
        describe_act(GONE, code),
        describe_act(NOTHING, code),
    )
    assert shown == SHOWN[code]


def test_words_stay_as_they_were_said() -> None:
    assert describe_act(Action(kind=ActionKind.speak, text="{who}: 70"), "zh") == "{who}: 70"
    assert describe_act(Action(kind=ActionKind.non_verbal, text="点头"), "de") == "点头"
