"""Scores of people from CSV: all problems at once, nothing stored twice, and then a judge like any
other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.rubrics import load_rubric
from simworld.core.errors import Failure, InputError
from simworld.judging.human_ratings import ImportedRatings, human_judge_id, import_ratings
from store import Store, open_store
from tests.factories.stored import RENT, add, begin, item, played

FIRST, SECOND, FAILED = (item(scenario=RENT, repeat=repeat).episode_id(1) for repeat in range(3))
HEAD = "episode,seat,dimension,score,reasoning\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two episodes of two seats with the rubric sotopia, and one that failed."""
    with open_store(str(tmp_path / "x.db"), create=True) as opened:
        first, second, third = begin(opened, scenario=RENT)
        add(opened, first, played(first, "Hello."))
        add(opened, second, played(second, "Hello!"))
        failure = Failure(boundary="model", kind="timeout", message="no answer")
        add(opened, third, played(third, failure=failure))
        yield opened


def load(store: Store, tmp_path: Path, text: str, rater: str = "Ann Bell") -> ImportedRatings:
    path = tmp_path / "ratings.csv"
    path.write_text(text, "utf-8")
    return import_ratings(store, path, rater)


def wrong(store: Store, tmp_path: Path, text: str, rater: str = "Ann Bell") -> list[str]:
    with pytest.raises(InputError) as raised:
        load(store, tmp_path, text, rater)
    assert not list(store.score_rows())
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in raised.value.problems]


def test_scores_are_stored_as_a_judges(store: Store, tmp_path: Path) -> None:
    quoted = '"She got it,\nin the end."'
    text = (
        f"\ufeff{HEAD}{FIRST},owner,goal,7.5,{quoted}\n{FIRST[:9]}, tenant"
        f" ,secret,-10,\n\n{SECOND},owner,goal,0,\n"
    )
    done = load(store, tmp_path, text)
    rubric = load_rubric("sotopia")
    assert done == ImportedRatings(
        judge_ids=(human_judge_id("Ann Bell", rubric),), added=2, already=0, verdicts=3
    )
    rows = {
        (row.episode_id, row.seat, row.dimension): (row.judge_name, row.score, row.rescaled)
        for row in store.score_rows()
    }
    assert rows == {
        (FIRST, "owner", "goal"): ("Ann Bell", 7.5, 0.75),
        (FIRST, "tenant", "secret"): ("Ann Bell", -10.0, 0.0),
        (SECOND, "owner", "goal"): ("Ann Bell", 0.0, 0.0),
    }
    (judgement,) = store.judgements(FIRST)
    assert judgement.judgement.verdicts[0].reasoning == "She got it,\nin the end."
    (judge,) = store.judges()
    assert judge.spec["spec"] == {"kind": "human", "name": "Ann Bell"}
    assert judge.spec["rubric"]["id"] == rubric.id


def test_the_same_file_again_changes_nothing_and_another_score_is_refused(
    store: Store, tmp_path: Path
) -> None:
    text = f"{HEAD}{FIRST},owner,goal,7,\n"
    load(store, tmp_path, text)
    assert (load(store, tmp_path, text).added, load(store, tmp_path, text).already) == (0, 1)
    with pytest.raises(
        InputError,
        match=f"Ann Bell has scored episode {FIRST} otherwise before; give another --rater",
    ):
        load(store, tmp_path, text.replace(",7,", ",8,"))
    assert [row.score for row in store.score_rows()] == [7]
    load(store, tmp_path, text.replace(",7,", ",8,"), rater="Bo")
    assert sorted(row.score for row in store.score_rows()) == [7, 8]


def test_everything_wrong_is_said_at_once_with_its_line(store: Store, tmp_path: Path) -> None:
    rows = (
        "ffff,owner,goal,5,",
        f"{FIRST},ownr,gaol,12,",
        f"{FIRST},owner,goal,12,",
        f"{FIRST},owner,goal,nan,",
        f"{FIRST},owner,goal,5,",
        f"{FIRST},owner,goal,6,",
        f"{FIRST},owner",
        f"{FAILED},owner,goal,5,",
        f"{FIRST},owner,goal,,too,much",
    )
    assert wrong(store, tmp_path, HEAD + "\n".join(rows)) == [
        "ratings.csv:2: no episode ffff; see `simworld episode list`",
        (
            f"ratings.csv:3: no seat 'ownr' in episode {FIRST}; did you mean 'owner'?; no dimension"
            " 'gaol' in rubric sotopia; did you mean 'goal'?"
        ),
        "ratings.csv:4: score '12': expected a number from 0 to 10",
        "ratings.csv:5: score 'nan': expected a number from 0 to 10",
        f"ratings.csv:7: a second score of goal for owner in episode {FIRST}",
        "ratings.csv:8: found another number of cells than the 5 columns",
        f"ratings.csv:9: episode {FAILED} failed, so there is nothing to score",
        "ratings.csv:10: found another number of cells than the 5 columns",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            (
                "ratings.csv:1: found the columns none; expected episode, seat, dimension, score"
                " and, if wanted, reasoning"
            ),
        ),
        (HEAD, "ratings.csv: found no scores"),
        (
            "episode,seat,score\n",
            "ratings.csv:1: found the columns episode, seat, score; expected episode, seat, ",
        ),
        (HEAD + 'x,"y\n', "ratings.csv:2: not CSV: unexpected end of data"),
    ],
)
def test_a_file_that_holds_no_scores(store: Store, tmp_path: Path, text: str, message: str) -> None:
    (problem,) = wrong(store, tmp_path, text)
    assert problem.startswith(message)


def test_a_file_that_cannot_be_read(store: Store, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"episode,\xff")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zeros.csv").write_bytes(bytes(1000))
    reasons = {
        "gone.csv": "no such file",
        "latin.csv": "is not UTF-8 text: byte 0x",
        "pipe.csv": "is a pipe, not a file",
    }
    for name, reason in (
        reasons | {"zeros.csv": "control character U", "x" * 5000: "File name too long"}
    ).items():
        with pytest.raises(InputError, match=reason):
            import_ratings(store, tmp_path / name, "Ann")


def test_a_rater_has_a_name_of_its_own(store: Store, tmp_path: Path) -> None:
    store.add_judge("j1", "smol", {"spec": {"method": "statements"}})
    text = f"{HEAD}{FIRST},owner,goal,7,\n"
    assert wrong(store, tmp_path, text, "smol") == [
        "--rater 'smol' is the name of a judge that is no person; give another name"
    ]
    assert wrong(store, tmp_path, text, " ") == [
        "--rater ' ': expected a name, without control characters"
    ]


CELLS = st.sampled_from(
    [
        "",
        " ",
        ",",
        "\n",
        "\r",
        '"',
        '""',
        "episode",
        "seat",
        "score",
        "dimension",
        FIRST,
        "owner",
        "goal",
        "7",
        "nan",
        "1e999",
        "\x85",
        "\u2028",
        "=1+1",
        "x" * 140_000,
        "\ufeff",
        ";",
        "\t",
        "%",
        "_",
    ]
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CELLS, max_size=30).map("".join), st.booleans())
def test_any_table_is_stored_or_told(store: Store, tmp_path: Path, text: str, headed: bool) -> None:
    try:
        sure = load(store, tmp_path, (HEAD if headed else "") + text).verdicts > 0
    except InputError as error:
        sure = bool(error.problems)
    assert sure
