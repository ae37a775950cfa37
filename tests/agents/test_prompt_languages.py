"""Prompts in other languages than English, read out."""

from __future__ import annotations

import re

import pytest

from agents.prompting import (
    PROMPTS_FOLDER,
    PromptTemplate,
    addressing_note,
    build_prompt,
    is_outdated,
    prompt_version,
    stop_strings,
    template_version,
)
from simworld.core.episode import Act, Action, ActionKind, Observation, Turn
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.visibility import observe
from simworld.language import language_codes, load_language
from simworld.yamlfile import load_yaml, parse

BUILT_IN = [
    parse(load_yaml(PROMPTS_FOLDER / f"{name}.yaml"), PromptTemplate)
    for name in ("chat", "script", "chat-2", "script-2")
]
CHAT, SCRIPT = BUILT_IN[:2]
OTHERS = [code for code in language_codes() if code != "en"]
NAMES = {
    "ar": ("نادية براندت", "طارق عمر", "حارس"),
    "de": ("Nadia Brandt", "Tomas Okafor", "Wache"),
    "es": ("Nadia Brandt", "Tomás Rivas", "guardia"),
    "fr": ("Nadia Brandt", "Thomas Petit", "gardien"),
    "ja": ("直美 田中", "太郎 山田", "警備"),
    "zh": ("小红", "小明", "保安"),
}


def seen(code: str, seat: str = "a") -> Observation:
    own, other, third = NAMES.get(code, NAMES["de"])
    seats = (
        Seat(
            name="a",
            persona=Persona(name=own, age=33, occupation="O1"),
            goal="G1.",
            knows="K1.",
            secret="S1.",
        ),
        Seat(
            name="b",
            persona=Persona(name=other, pronouns="P2", public="F2."),
            goal="G2.",
            secret="S2.",
        ),
        Seat(name="c", persona=Persona(name=third), goal="G3."),
    )
    scenario = Scenario(
        name="t",
        setting="X1",
        seats=seats,
        language=code,
        relationships={("a", "b"): Relationship.acquaintance},
    )
    acts = [
        ("a", Action(kind=ActionKind.speak, text="U1")),
        ("b", Action(kind=ActionKind.non_verbal, text="U2")),
        ("c", Action(kind=ActionKind.none)),
        ("b", Action(kind=ActionKind.speak, text="U3", to=("a",))),
        ("a", Action(kind=ActionKind.speak, text="U4", to=("b", "c"))),
        ("c", Action(kind=ActionKind.leave, text="U5")),
    ]
    turns = [
        Turn(index=i, acts=(Act(seat=name, action=action),))
        for i, (name, action) in enumerate(acts)
    ]
    return observe(scenario, seat, turns, len(turns), 0)


def contents(template: PromptTemplate, observation: Observation) -> list[str]:
    return [message.content for message in build_prompt(template, observation).messages]


def test_a_chinese_chat() -> None:
    system, *dialogue = contents(CHAT, seen("zh"))
    assert system.split("\n") == [
        "你是小红，33岁，O1。请始终保持这个角色，绝不替别人说话，也绝不说自己是助手。",
        "场景：X1",
        "小明（认识的人）：（P2）。F2。C是陌生人。此人已经离开。",
        "你的目标：G1.",
        "只有你知道的事：K1.",
        "你要保守的秘密：S1.",
        "请用一两句话写出小红接下来说的话。动作和神态写在方括号里，例如[点头]；要彻底离开，就写[离开]。",
    ]
    assert dialogue == [
        "（请你先开口。）",
        "U1",
        "小明：[U2]\nC：[沉默]\n小明（悄悄对小红说）：U3",
        "（悄悄对小明和C说）U4",
        "C：U5[离开]",
    ]
    assert stop_strings(CHAT, seen("zh")) == ("\n小明：", "\nC：", "\n小明:", "\nC:")


def test_a_german_script() -> None:
    prompt = build_prompt(SCRIPT, seen("de"))
    lines = prompt.messages[1].content.split("\n")
    assert lines[lines.index("Nun ein anderes Stück. X1") :] == [
        "Nun ein anderes Stück. X1",
        (
            "Über Nadia: Nadia Brandt, 33 Jahre alt, O1. Tomas (eine Bekanntschaft): Tomas Okafor"
            " (P2). F2. C ist eine fremde Person. Diese Person ist gegangen."
        ),
        "Nadia will Folgendes: G1.",
        "Nadia weiß: K1.",
        "Nadia erzählt niemandem: S1.",
        "",
        "Schreib, was sie sagen.",
    ]
    assert prompt.reply_start.split("\n") == [
        "Nadia: U1",
        "Tomas: [U2]",
        "Tomas (zu Nadia): U3",
        "Nadia (zu Tomas und C): U4",
        "C: U5 [geht]",
        "Nadia:",
    ]
    assert stop_strings(SCRIPT, seen("de")) == ("\n",)


def test_a_french_label_has_its_space() -> None:
    assert build_prompt(SCRIPT, seen("fr")).reply_start.split("\n")[2:] == [
        "Thomas (à Nadia) : U3",
        "Nadia (à Thomas et C) : U4",
        "C : U5 [s'en va]",
        "Nadia :",
    ]
    assert stop_strings(CHAT, seen("fr")) == ("\nThomas :", "\nC :", "\nThomas:", "\nC:")


def test_an_arabic_chat() -> None:
    system, *dialogue = contents(CHAT, seen("ar"))
    assert system.split("\n")[:3] == [
        (
            "أنت نادية، نادية براندت، العمر 33، O1. يجب البقاء في هذا الدور، وعدم الكلام نيابةً عن"
            " أي شخص آخر، وعدم القول أبدًا إنك برنامج مساعد."
        ),
        "المشهد: X1",
        "طارق (من المعارف): طارق عمر (P2). F2. C شخص غريب. غادر هذا الشخص.",
    ]
    assert dialogue[3:] == ["(إلى طارق وC) U4", "C: U5 [مغادرة]"]


@pytest.mark.parametrize("code", OTHERS)
def test_every_fact_of_a_seat_is_told_once_and_no_english_word(code: str) -> None:
    for template in BUILT_IN:
        observation = seen(code)
        shown = "\n".join(
            [*contents(template, observation), build_prompt(template, observation).reply_start]
        )
        counts = {
            what: shown.count(what)
            for what in ("X1", "O1", "G1", "K1", "S1", "F2", "U1", "U2", "U3", "U4", "U5")
        }
        assert set(counts.values()) == {1}
        assert not {"G2", "S2", "G3"} & set(re.findall(r"[A-Z]\d", shown))
        assert NAMES[code][0] in shown  # the whole name
        assert "{" not in shown
        if code in ("ar", "ja", "zh"):
            assert re.findall(r"[A-Za-z]{2,}", shown) == []
        else:
            assert not re.search(r"(?i)\b(you|your|the|stranger|leaves|says)\b", shown)


@pytest.mark.parametrize("code", OTHERS)
def test_a_row_tells_the_language_and_the_table_of_its_prompt(code: str) -> None:
    version = prompt_version(CHAT, seen(code))
    assert version == f"{CHAT.version}+{code}.{load_language(code).version}"
    assert template_version(version) == CHAT.version
    assert not is_outdated(version, CHAT, seen(code))
    assert is_outdated(f"{CHAT.version}+{code}.000000", CHAT, seen(code))


def test_a_prompt_of_ones_own_stays_as_it_is_written() -> None:
    own = PromptTemplate(style="chat", system="Du bist {{who}}. {{others}}")
    system, *_ = contents(own, seen("de"))
    assert (
        system
        == "Du bist Nadia Brandt, 33 Jahre alt, O1. Tomas (eine Bekanntschaft): Tomas Okafor (P2)."
        " F2. C ist eine fremde Person. Diese Person ist gegangen."
    )
    first = observe(Scenario(name="t", setting="X", language="de", seats=_two()), "a", (), 0, 0)
    assert contents(own, first)[-1] == "(Du sprichst zuerst.)"
    assert contents(own.model_copy(update={"opening": "(Los!)"}), first)[-1] == "(Los!)"


def _two() -> tuple[Seat, Seat]:
    return Seat(name="a", persona=Persona(name="A"), goal="G"), Seat(
        name="b", persona=Persona(name="B"), goal="G"
    )


def test_after_a_mark_that_means_nobody_a_seat_is_told_whom_it_may_address() -> None:
    assert (
        addressing_note(seen("zh"))
        == "（只想让一个人听到的话，要以（悄悄对小明说）开头，而且整句都只说给那个人听。"
        "没有这个标记，所有人都会听到。这里没有别的人。）"
    )  # the third has left
    assert (
        addressing_note(seen("de", "c"))
        == "(Eine Antwort, die nur eine Person hören soll, beginnt mit (zu A) oder (zu B) und ist"
        " ganz für diese Person. Ohne ein solches Zeichen hören sie alle. Sonst ist niemand"
        " hier.)"
    )
    note = addressing_note(seen("en", "c"))
    assert note.startswith(
        "(A reply that only one person is to hear begins with (to A) or (to B), and all of it is"
    )
    plain, noted = build_prompt(CHAT, seen("en")), build_prompt(CHAT, seen("en"), note=note)
    assert noted.messages[:-1] == plain.messages[:-1]
    assert noted.messages[-1].content == f"{plain.messages[-1].content}\n\n{note}"
    script = build_prompt(SCRIPT, seen("en"), note=note)
    assert script.messages[-1].content.endswith(f"\n\n{note}")
    assert script.reply_start == build_prompt(SCRIPT, seen("en")).reply_start
