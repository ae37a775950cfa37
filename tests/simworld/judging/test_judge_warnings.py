"""What is said beside scores: judges that nobody measured, that guess, and scores that lie at an
end of their range."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.judging.judge_warnings import judge_warnings, scoring_ids
from simworld.testing import FakeBackend
from simworld.tournaments.results import tournament_results
from simworld.web.report_file import make_report
from store import Store, open_store
from tests.factories.stored import add, begin, played
from tests.factories.tournaments import tournament, write

UNMEASURED = (
    "judge strict was never measured: `simworld judge check --judge FILE --pairs FILE --rubric"
    " FILE` says how far to trust it"
)
ENDS = "half or more of its scores lie at an end of their range, where nobody can be told apart"
MEASURED = {"pairs": "shipped", "n": 100, "accuracy": 0.8, "low": 0.71, "high": 0.87}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "x.db"), create=True) as opened:
        yield opened


def judged(
    store: Store,
    shares: Sequence[float],
    *,
    raw: dict[str, float] | None = None,
    kind: str = "method",
) -> str:
    """The id of a judge of goals, in [-5, 5], whose scores are these shares of the range, one an
    episode."""
    spec = {kind: "server"}
    rubric = {
        "id": "r",
        "name": "r",
        "dimensions": [{"name": "goal", "low": -5, "high": 5, "weight": 1}],
    }
    store.add_judge("strict@1", "strict", {"spec": spec, "rubric": rubric})
    for item, share in zip(begin(store, repeats=len(shares)), shares, strict=True):
        add(store, item, played(item, "Well?"))
        verdict = Verdict(seat="seller", dimension="goal", score=10 * share - 5, raw=raw or {})
        judgement = Judgement(
            episode_id=item.episode_id(1),
            judge_id="strict@1",
            sample=0,
            status=JudgementStatus.ok,
            rubric_id="r",
            verdicts=(verdict,),
        )
        store.add_judgement(judgement, {("seller", "goal"): share})
    return "strict@1"


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([0.95, 0.96, 1, 1, 1] + [0.5] * 5, "goal (5 of 10 at the top)"),
        ([0.0, 0.05] * 6, "goal (12 of 12 at the bottom)"),
        ([1.0, 0.0] * 5, "goal (5 of 10 at the top), goal (5 of 10 at the bottom)"),
        ([0.95, 0.96, 1, 1] + [0.94] * 6, ""),  # four of ten
        ([1.0] * 9, ""),  # too few to say
        ([0.3, 0.5, 0.7] * 4, ""),
    ],
)
def test_scores_at_an_end_of_their_range(store: Store, shares: list[float], told: str) -> None:
    id_ = judged(store, shares)
    lines = (UNMEASURED, f"judge strict: {ENDS}: {told}") if told else (UNMEASURED,)
    assert judge_warnings(store, [id_], run="first") == lines
    assert judge_warnings(store, [id_]) == lines
    assert judge_warnings(store, [id_], run="another") == (UNMEASURED,)


def test_what_was_not_asked_has_no_end(store: Store) -> None:
    assert judge_warnings(store, [judged(store, [1.0] * 12, raw={"asked": 0.0})]) == (UNMEASURED,)


def test_people_are_not_measured(store: Store) -> None:
    assert judge_warnings(store, [judged(store, [0.5] * 12, kind="kind")]) == ()


def test_a_judge_that_was_measured(store: Store) -> None:
    id_ = judged(store, [0.5] * 12)
    (record,) = store.judges()
    store.record_judge_check(id_, "strict", record.spec, MEASURED)
    assert judge_warnings(store, [id_]) == ()
    store.record_judge_check(
        id_, "strict", {}, MEASURED | {"accuracy": 0.52, "low": 0.42, "high": 0.62}
    )  # the last one counts
    told = (
        "judge strict ordered 52% of 100 pairs rightly (95 %: 42% to 62%), which is no better than"
        " guessing"
    )
    assert judge_warnings(store, [id_]) == (f"{told}; see `simworld judge check`",)
    (after,) = store.judges()
    assert {name: after.spec[name] for name in record.spec} == dict(record.spec)


def test_an_id_that_scored_nothing_is_left_out(store: Store) -> None:
    """As the default rubric's is, where all scenarios have rubrics of their own."""
    id_ = judged(store, [0.5])
    store.add_judge("strict@2", "strict", {"spec": {"method": "server"}})
    assert scoring_ids(store, ["strict@2", id_], "first") == [id_]
    assert scoring_ids(store, ["strict@2", id_], None) == [id_]


def test_a_shipped_judge_is_named(store: Store) -> None:
    store.add_judge("smol-digits@1", "smol-digits", {"spec": {"method": "answers"}})
    (line,) = judge_warnings(store, ["smol-digits@1"])
    assert "`simworld judge check --judge smol-digits`" in line


@pytest.fixture
def cup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A played tournament in `x.db`, in the working folder, on a model that answers at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend", lambda *args, **settings: FakeBackend()
    )
    write(tmp_path)
    tournament(tmp_path)
    said("tournament", "run", "cup.yaml")
    return tmp_path


def said(*line: str) -> str:
    done = CliRunner().invoke(cli, [*line, "--db", "x.db"], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stderr


def test_it_is_said_wherever_the_numbers_are_shown(cup: Path) -> None:
    never = (
        "judge fake was never measured: `simworld judge check --judge FILE` says how far to"
        " trust it"
    )
    shown: list[Callable[[], str]] = [
        lambda: said("tournament", "standings", "cup.yaml"),
        lambda: said("tournament", "compare", "cup.yaml", "ada", "ben"),
        lambda: said("judge", "run", "--judge", "fake.yaml", "--run", "cup"),
        page,
    ]
    for show in shown:
        assert never in show().replace("&#39;", "'")
    with open_store("x.db") as opened:
        assert (
            never in tournament_results(tournament(cup), opened, tournament(cup).judges[0]).cautions
        )
    done = CliRunner().invoke(
        cli, ["judge", "check", "--judge", "fake.yaml", "--db", "x.db", "--json"]
    )
    data: dict[str, Any] = json.loads(done.stdout)
    for show in shown:
        assert "was never measured" not in show()
    with open_store("x.db") as opened:
        (record,) = opened.judges()
    assert data["n"] == 112
    assert record.spec["measured"]["n"] == data["n"]
    assert record.spec["measured"]["accuracy"] == data["accuracy"]
    assert [record.spec["measured"]["low"], record.spec["measured"]["high"]] == data["interval"]


def page() -> str:
    with open_store("x.db") as opened:
        return make_report(opened, "cup")


def test_a_check_before_the_first_run_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend", lambda *args, **settings: FakeBackend()
    )
    said("judge", "check")
    with open_store("x.db") as opened:
        (record,) = opened.judges()
        opened.add_judge(record.id, record.name, {})  # as judging does
        assert opened.judges() == [record]
    assert record.spec["measured"]["pairs"] == "shipped"
