"""Transcripts of pairs files as acts: written out by hand, and every text that somebody may
give."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simworld.core.episode import ActionKind
from simworld.core.errors import InputError
from simworld.judging.contrast_pairs import ContrastPair, PairEpisodes, load_pairs, parse_transcript


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("Ann: Hi.", [("Ann", "", "Hi.")]),
        ("  Ann Lee  :  Hi: there. ", [("Ann Lee", "", "Hi: there.")]),
        ("Ann (to Bob): Hi.", [("Ann", "Bob", "Hi.")]),
        ("Ann (privately to Bob and Cy alone) : Hi.", [("Ann", "Bob and Cy", "Hi.")]),
        ("Ann (smiling): Hi.", [("Ann (smiling)", "", "Hi.")]),
        ("Ann: Hi.\n\nMore.\n   \nAnd more.", [("Ann", "", "Hi. More. And more.")]),
        (
            "Ann: I have twenty on me.\n : hello",
            [("Ann", "", "I have twenty on me. : hello")],
        ),  # no name, so it goes on
        ("Ann:\n:", [("Ann", "", " :")]),
        ("Nobody yet\nAnn: Hi.", [("Ann", "", "Hi.")]),
        ("*waves*: Hi.", []),
        ("x" * 61 + ": Hi.", []),
        (":", []),
        (" : : :", []),
        ("\t\u3000: Hi.", []),
        ("(to Bob): Hi.", [("(to Bob)", "", "Hi.")]),
        ("Ann:", [("Ann", "", "")]),
        ("", []),
    ],
    ids=lambda value: str(value)[:20],
)
def test_lines(text: str, acts: list[tuple[str, str, str]]) -> None:
    assert parse_transcript(text) == acts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ann: a\n" + " " * 4_000 + "x", "a x"),
        ("Ann (to " + " " * 100_000, None),
        (("(to a " * 20_000) + ":", None),
        ("Ann: a\n" + " :\n" * 100_000, "a" + " :" * 100_000),
        ("Ann (to Bob" + " alone" * 50_000 + "): x", None),
        ("\u3000" * 100_000 + ":", None),
        ("x" * 1_000_000, None),
        ("Ann: a\n" + "b\n" * 200_000, "a" + " b" * 200_000),
    ],
    ids=lambda text: str(text)[:12],
)
def test_long_texts_are_read_to_their_end(text: str, said: str | None) -> None:
    # milliseconds; with the square of the length it would take hours
    assert parse_transcript(text) == ([] if said is None else [("Ann", "", said)])


def pair(better: str, worse: str = "Ann: No.", seat: str = "Ann") -> ContrastPair:
    return ContrastPair(setting="A stall", seat=seat, dimension="goal", better=better, worse=worse)


def test_a_transcript_without_a_speaker_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "- setting: s\n  seat: Ann\n  dimension: goal\n  better: ' : hello'\n  worse: 'Ann: Hi.'\n"
    )
    with pytest.raises(InputError) as error:
        load_pairs(path)
    (problem,) = error.value.problems
    assert problem.where == f"{path}:4:11"
    assert problem.message.endswith("no line begins with a name and a colon, like 'Ann: Hello.'")


def test_a_crowd_is_refused() -> None:
    with pytest.raises(ValidationError, match="65 speakers; at most 64 are judged"):
        pair("\n".join(f"N{i}: x" for i in range(65)))


def test_a_seat_without_a_letter_is_only_itself() -> None:
    assert PairEpisodes(pair=pair("Ann: Hi.\nBob: Hi.", seat="\x1c")).speakers == (
        "\x1c",
        "Ann",
        "Bob",
    )


TEXTS = st.lists(
    st.sampled_from(
        [
            "Ann",
            "Ann Lee",
            "Bob",
            ":",
            " ",
            "\n",
            "(to ",
            "Bob)",
            " alone)",
            "*",
            "x",
            "\u3000",
            "\x1c",
            "\u2028",
            "\u202e",
            "and",
            ",",
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=300, deadline=2_000)
@given(TEXTS, TEXTS, TEXTS)
def test_any_pair_is_refused_or_becomes_episodes(better: str, worse: str, seat: str) -> None:
    try:
        scene = PairEpisodes(pair=pair(better, worse, seat))
    except ValidationError:
        return
    seats = {own.name for own in scene.scenario.seats}
    for text in (scene.pair.better, scene.pair.worse):
        acts = scene.episode(text).acts
        assert acts
        assert all(act.seat in seats and set(act.action.to) <= seats for act in acts)
        assert all(act.action.kind in (ActionKind.speak, ActionKind.non_verbal) for act in acts)
