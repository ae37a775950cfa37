"""Programmatic checks against dialogues written out by hand."""

from dataclasses import replace

import pytest

from simworld.core.checks import (
    compile_check,
    ending_check,
    pattern_problems,
    run_check,
    run_checks,
)
from simworld.core.episode import Act, Action, ActionKind, CheckResult, Turn
from simworld.core.scenario import Check, CheckKind, Persona, Scenario, Seat


def dialogue(*lines: tuple[str, str] | tuple[str, str, ActionKind]) -> tuple[Turn, ...]:
    """A turn for each (seat, text) or (seat, text, kind)."""
    turns = []
    for index, (seat, text, *kind) in enumerate(lines):
        action = Action(kind=kind[0] if kind else ActionKind.speak, text=text)
        turns.append(Turn(index=index, acts=(Act(seat=seat, action=action),)))
    return tuple(turns)


HAGGLE = dialogue(
    ("seller", "I want 90 euros."),
    ("buyer", "I have 60 euros, no deal otherwise."),
    ("seller", "Then 1,200 euros for the bicycle, or 75 euros for the ticket. Ideal!"),
    ("buyer", "Deal."),
)


def regex(pattern: str, *, absent: bool = False, by: str = "") -> Check:
    return Check(name="c", kind=CheckKind.regex, pattern=pattern, absent=absent, by=by)


def keyword(*words: str, absent: bool = False, by: str = "") -> Check:
    return Check(name="c", kind=CheckKind.keyword, words=words, absent=absent, by=by)


def number(
    pattern: str = r"([\d,]+) euros",
    *,
    last: bool = False,
    between: tuple[float, float] | None = None,
    by: str = "",
) -> Check:
    return Check(
        name="c", kind=CheckKind.number, pattern=pattern, last=last, between=between, by=by
    )


@pytest.mark.parametrize(
    ("check", "holds", "value", "turn"),
    [
        (regex(r"\d+ euros"), True, "90 euros", 0),
        (regex(r"\d+ pounds"), False, None, None),
        (regex(r"(?i)DEAL"), True, "deal", 1),
        # case counts in a pattern: not `Deal`, not in `Ideal` but `no deal`
        (regex(r"deal"), True, "deal", 1),
        (regex(r"^Deal"), True, "Deal", 3),
        (regex(r"\d+ euros", by="buyer"), True, "60 euros", 1),
        (regex(r"bicycle", by="buyer"), False, None, None),
        (regex(r"bicycle", absent=True), False, "bicycle", 2),
        (regex(r"pounds", absent=True), True, None, None),
        (keyword("DEAL"), True, "deal", 1),
        (keyword("deal", by="seller"), False, None, None),  # `Ideal` is another word
        (keyword("tick"), False, None, None),
        (keyword("pounds", "ticket"), True, "ticket", 2),
        (keyword("the ticket"), True, "the ticket", 2),
        (keyword("deal."), True, "Deal.", 3),  # a word may end in punctuation
        (keyword("goodbye", absent=True), True, None, None),
        (number(), True, 90.0, 0),
        (number(last=True), True, 75.0, 2),
        (number(by="buyer"), True, 60.0, 1),
        (number(r"([\d,]+) euros for the bicycle"), True, 1200.0, 2),
        (number(last=True, between=(65, 90)), True, 75.0, 2),
        (number(last=True, between=(75, 75)), True, 75.0, 2),  # both ends belong to it
        (number(last=True, between=(76, 90)), False, 75.0, 2),
        (number(last=True, between=(10, 74.5)), False, 75.0, 2),
        (number(r"(\d+) pounds", between=(0, 9)), False, None, None),
    ],
)
def test_what_a_check_finds(
    check: Check, holds: bool, value: float | str | None, turn: int | None
) -> None:
    assert run_check(check, HAGGLE) == CheckResult(name="c", holds=holds, value=value, turn=turn)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12.0),
        ("12.5", 12.5),
        ("-3", -3.0),
        ("1,234,567.5", 1234567.5),
        (".5", 0.5),
        ("1.200", 1.2),  # as in English; `1,200` is twelve hundred
        ("65,50", 65.5),
        ("1.200,50", 1200.5),
        ("1.234.567", 1234567.0),
        ("1\u202f200", 1200.0),
        ("６５，５", 65.5),
        ("٦٥٫٥", 65.5),
        ("٦٬٥٠٠", 6500.0),
    ],
)
def test_how_numbers_are_read(text: str, value: float) -> None:
    assert run_check(number(r"price (.+)!"), dialogue(("a", f"price {text}!"))).value == value


@pytest.mark.parametrize("text", ["twelve", "nan", "inf", "1e999", "1.2.3"])
def test_what_is_no_number_is_undecided_and_says_so(text: str) -> None:
    result = run_check(number(r"price (\S+)!", between=(0, 9)), dialogue(("a", f"price {text}!")))
    assert result == CheckResult(
        name="c", holds=None, turn=0, error=f"{text!r} is not a number; let group 1 match digits"
    )


def test_a_group_that_took_no_part_is_no_number() -> None:
    turns = dialogue(("a", "free"), ("b", "5 euros"))
    assert run_check(number(r"free|(\d+) euros"), turns) == CheckResult(
        name="c", holds=True, value=5.0, turn=1
    )


def test_acts_count_and_words_said_on_leaving_too_but_not_silence() -> None:
    for kind in (ActionKind.non_verbal, ActionKind.action, ActionKind.leave):
        assert run_check(keyword("deal"), dialogue(("a", "Deal, bye.", kind))).holds is True
    assert run_check(keyword("deal"), dialogue(("a", "deal", ActionKind.none))).holds is False


def test_nothing_was_said() -> None:
    assert run_check(regex("a"), ()).holds is False
    assert run_check(regex("a", absent=True), ()).holds is True
    assert run_check(number(), ()) == CheckResult(name="c", holds=False)


def test_a_pattern_that_never_ends_is_stopped_and_says_so() -> None:
    turns = dialogue(("a", "a" * 5000 + "!"))
    result = run_check(regex(r"(?:a|a)*(a+)+\1x?$"), turns)
    assert result.holds is None
    assert result.error == "the pattern took longer than 0.25 s on one utterance; make it simpler"


def test_the_textbook_pattern_is_stopped() -> None:
    result = run_check(regex(r"(a+)+$"), dialogue(("a", "a" * 20_000 + "!")))
    assert result.holds is None
    assert result.error is not None


def test_checks_come_in_order() -> None:
    checks = (keyword("deal"), regex("pounds"))
    assert [result.holds for result in run_checks(checks, HAGGLE)] == [True, False]


def test_words_are_no_patterns() -> None:
    assert compile_check(keyword("a.c")).search("abc") is None
    assert compile_check(keyword("a.c")).search("so A.C it is") is not None


ENDLESS = r"(?:a|a)*(a+)+\1x?$"


@pytest.fixture
def half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """All patterns together have half a second, so that a test needs no more."""
    monkeypatch.setattr("simworld.core.checks.ALL_CHECKS_TIMEOUT_S", 0.5)


@pytest.mark.usefixtures("half_a_second")
def test_many_endless_patterns_share_one_limit() -> None:
    checks = tuple(Check(name=f"c{i}", kind=CheckKind.regex, pattern=ENDLESS) for i in range(200))
    turns = dialogue(("a", "a" * 5000 + "!"))
    results = run_checks(checks, turns)
    assert all(result.holds is None for result in results)
    assert (
        results[-1].error
        == "the checks took longer than 0.5 s together on this dialogue; make them simpler"
    )


@pytest.mark.usefixtures("half_a_second")
def test_a_slow_pattern_on_many_turns_has_one_limit() -> None:
    turns = dialogue(*[("a", "a" * 22 + "!")] * 2000)
    (result,) = run_checks([regex(r"(a|aa)+$")], turns)
    assert result.holds is None
    assert (
        result.error
        == "the checks took longer than 0.5 s together on this dialogue; make them simpler"
    )


def test_a_pattern_that_cannot_be_used_is_no_exception() -> None:
    bomb, wrong = run_checks([regex("((a{900}){900}){900}"), regex("a(")], HAGGLE)
    assert (bomb.holds, wrong.holds) == (None, None)
    assert bomb.error is not None
    assert bomb.error.startswith("the pattern is too large")
    assert wrong.error == "not a valid regular expression: missing ) at position 3"
    endless_words = keyword(*(f"word {i} and so on" for i in range(5_000)))
    assert run_check(endless_words, HAGGLE).holds is None


def test_patterns_of_a_stored_scenario_are_told_with_their_place() -> None:
    seats = tuple(Seat(name=name, persona=Persona(name=name), goal="g") for name in ("a", "b"))
    checks = (regex("fine"), Check(name="bomb", kind=CheckKind.regex, pattern="(a{900}){900}"))
    problems = pattern_problems(Scenario(name="old", setting="x", seats=seats, checks=checks))
    assert [problem.where for problem in problems] == ["scenario old: checks.bomb"]


def test_what_ends_an_episode() -> None:
    def ends(check: Check) -> Check:
        return replace(check, ends=True)

    assert ending_check([ends(regex("Deal"))], HAGGLE) == "c"
    assert ending_check([regex("Deal")], HAGGLE) == ""
    assert ending_check([ends(regex("pounds"))], HAGGLE) == ""
    price = ends(number(between=(80, 99)))  # the first price, of an earlier turn
    assert ending_check([price], HAGGLE) == "c"
    assert ending_check([ends(number(last=True, between=(70, 80)))], HAGGLE) == "c"


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        # No spaces between words: anywhere between two characters as readers see them
        ("成交", "那我们成交吧。", "成交"),
        ("成交", "我不想成了交易", None),
        ("ありがとう", "本当にありがとうございます。", "ありがとう"),
        ("ตกลง", "ฉันตกลงแล้วนะ", "ตกลง"),
        ("ສະບາຍດີ", "ສະບາຍດີທຸກຄົນ", "ສະບາຍດີ"),
        ("ယူမယ်", "ကျွန်တော်ယူမယ်ဗျ", "ယူမယ်"),
        ("យល់ព្រម", "ខ្ញុំយល់ព្រមហើយ", "យល់ព្រម"),
        ("𠮷野", "大𠮷野家", "𠮷野"),
        # … and never inside one: a vowel sign or a voicing mark belongs to the letter before it
        ("ด", "ดี", None),
        ("か", "がある", None),
        ("か", "か\u3099ある", None),
        ("が", "か\u3099ある", "が"),
        # Runs of katakana are words
        ("チケット", "このチケットをください", "チケット"),
        ("パン", "パンダを見た", None),
        ("チケット", "このﾁｹｯﾄを", "チケット"),
        # Letters of other scripts beside them are other words
        ("OK", "OK吗？", "OK"),
        ("ok", "それはＯＫです", "OK"),
        ("65", "六十五是65元", "65"),
        ("65", "165元", None),
        # Combining marks belong to the word
        ("मान", "मानव अधिकार", None),
        ("मान", "वह मानो", None),
        ("मान", "वह मान गया", "मान"),
        ("cafe", "le cafe\u0301", None),
        ("café", "le cafe\u0301 ferme", "café"),
        ("nguời", "người", None),
        # What may be written or left out
        ("اتفقنا", "حسنًا، اتّفقنا!", "اتفقنا"),
        ("اتفقنا", "اتفقـــنا", "اتفقنا"),
        ("اتفاق", "هذا الاتفاق", None),  # the article is part of the word
        ("שלום", "שָׁלוֹם לך", "שלום"),
        ("❤", "I ❤\ufe0f it", "❤"),
        ("don't", "I don’t know", "don't"),
        ("no deal", "So no\u00a0deal", "no deal"),
        ("STRASSE", "die Straße", "Straße"),
        # What is no letter needs no gap
        ("€", "65€", "€"),
        ("c++", "in C++11", "C++"),
        ("deal", "the deal's end", "deal"),
        ("deal", "Ideal", None),
        ("거래", "거래는 끝났다", None),  # particles are part of the word
    ],
)
def test_what_a_whole_word_is_in_each_script(word: str, text: str, found: str | None) -> None:
    assert run_check(keyword(word), dialogue(("a", text))) == CheckResult(
        name="c", holds=found is not None, value=found, turn=None if found is None else 0
    )


def test_many_words_of_many_scripts_in_one_check() -> None:
    check = keyword("deal", "成交", "パン", "€", "ตกลง")
    for text, value in [
        ("No deal", "deal"),
        ("成交了", "成交"),
        ("パンだ", "パン"),
        ("5€", "€"),
        ("ฉันตกลง", "ตกลง"),
    ]:
        assert run_check(check, dialogue(("a", text))).value == value
    assert run_check(check, dialogue(("a", "ideal パンダ"))).holds is False
