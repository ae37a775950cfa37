"""`simworld judge` from the outside; the model is the built-in one only where marked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simworld.cli import cli
from simworld.cli.judge import judge
from simworld.core.episode import WorkItem
from simworld.core.errors import InputError
from simworld.judging.judge_spec import builtin_judges
from simworld.testing import FakeBackend
from store import AgentRecord, PlannedItem, RunRecord, open_store
from tests.factories.judging import lamp_scenario, make_episode

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAIRS = """
- setting: Two colleagues in the office
  seat: Carl
  goal: Get Dana to take his shift on Sunday
  dimension: goal
  better: |
    Carl: Could you take my shift on Sunday?
    Dana: All right, I will do it.
  worse: |
    Carl: Could you take my shift on Sunday?
    Dana: No, I will not do it. Ask somebody else.
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(judge, arguments)


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/s.db"
    scenario = lamp_scenario()
    cast = {seat.name: "agent" for seat in scenario.seats}
    items = [WorkItem(run="r", scenario_id=scenario.id, cast=cast, repeat=i) for i in range(2)]
    planned = [PlannedItem(item=item, scenario_name="lamp", family="lamp") for item in items]
    with open_store(url, create=True) as store:
        agents = [AgentRecord(id="agent", name="agent", spec={})]
        store.begin_run(
            RunRecord(name="r", seed=0, code_version="", created=NOW), planned, [scenario], agents
        )
        for item, text in zip(items, ("Forty, and it is yours.", "Go away."), strict=True):
            episode = make_episode(scenario, ("seller", text), ("buyer", "*nods*"))
            store.add_episode(
                item, 1, episode, scenario_name="lamp", family="lamp", started=NOW, ended=NOW
            )
    return url


def test_list_and_show() -> None:
    shown = run("list")
    assert shown.exit_code == 0
    assert all(name in shown.output for name in builtin_judges())
    assert [row["name"] for row in json.loads(run("list", "--json").output)] == list(
        builtin_judges()
    )
    text = run("show").output
    assert "smol-statements (built in)" in text
    assert "financial_and_material_benefits [-5, 5]" in text
    data = json.loads(run("show", "server", "--json").output)
    assert data["from"] == "built in"
    assert data["spec"]["method"] == "server"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "smol-statment"], "did you mean 'smol-statements'?"),
        (["check", "--pairs", "gone.yaml"], "gone.yaml"),
        (["check", "--rubric", "sotopa"], "did you mean 'sotopia'?"),
        (["check", "--judge", "gone.yaml"], "no judge file gone.yaml"),
        (["run", "--db", "nothing.db"], "nothing.db"),
        (["run", "--db", "foo://bar"], "foo"),
    ],
)
def test_one_clear_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code != 0
    shown = str(result.exception) + result.output
    assert message in shown
    assert len(shown.strip().splitlines()) == 1
    assert not (tmp_path / "nothing.db").exists()


def test_an_unknown_run_is_named_before_the_model_is_loaded(db: str) -> None:
    result = run("run", "--db", db, "--run", "rr")
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "no run 'rr' in this database; did you mean 'r'?"


def test_help_names_the_commands() -> None:
    text = CliRunner().invoke(cli, ["judge", "--help"]).output
    assert all(name in text for name in ("run", "check", "list", "show"))


def test_the_profile_says_how_long_a_backend_was_waited_for(
    db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend", lambda *args, **settings: FakeBackend()
    )
    data = json.loads(run("run", "--db", db, "--json", "--profile").stdout)
    assert data["scored"] == 2
    assert set(data["profile"]["parts"]) == {"waiting", "storing", "other"}
    assert all(part["seconds"] >= 0 for part in data["profile"]["parts"].values())
    assert "profile" not in json.loads(run("run", "--db", db, "--json").stdout)


@pytest.mark.model
def test_the_built_in_judge_scores_an_episode_and_repeats_nothing(db: str) -> None:
    first = run("run", "--db", db, "--threads", "1", "--profile")
    assert first.exit_code == 0
    counts, title, _, *parts, following = first.stdout.strip().splitlines()
    assert (counts, title) == ("2 scored, 0 failed, 0 already there", "Where the time went")
    assert [row.split()[0] for row in parts] == ["tokenising", "judging", "storing", "other", "all"]
    assert following.startswith("next: simworld ")
    again = run("run", "--db", db, "--threads", "1", "--json")
    assert json.loads(again.stdout)["already"] == 2
    assert json.loads(again.stdout)["scored"] == 0
    with open_store(db) as store:
        rows = list(store.score_rows())
    assert len(rows) == 2 * 2 * 7
    assert all(0 <= row.rescaled <= 1 for row in rows)
    assert len({round(row.score, 6) for row in rows if row.dimension == "goal"}) == 4


@pytest.mark.model
def test_the_built_in_judge_orders_a_plain_pair(tmp_path: Path) -> None:
    path = tmp_path / "pairs.yaml"
    path.write_text(PAIRS)
    db = f"sqlite:///{tmp_path}/c.db"
    data = json.loads(
        run("check", "--pairs", str(path), "--json", "--threads", "1", "--db", db).stdout
    )
    assert (data["n"], data["accuracy"]) == (1, 1.0)
    assert data["by_dimension"]["goal"]["n"] == 1
    assert data["longer_text_wins"] == 0.0


RUBRIC = "name: calm\ndimensions:\n  - {name: composure, range: [0, 10], question: How calm?}\n"
JUDGE = "name: strict\nmodel: builtin:smollm2-135m-instruct\nmethod: answers\nrubric: calm.yaml\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a rubric, a judge that names it, and pairs of another rubric."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"calm": RUBRIC, "strict": JUDGE, "pairs": PAIRS, "other": "a: 1\n"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["check", "--judge", "strict.yaml"],
            (
                "the shipped pairs are about the rubric sotopia, and the rubric calm has composure:"
                " give pairs of your own with --pairs FILE (`simworld judge check --help` shows"
                " one)"
            ),
        ),
        (
            ["check", "--judge", "strict.yaml", "--pairs", "pairs.yaml"],
            "pairs.yaml: unknown dimension 'goal'; the rubric calm has composure",
        ),
        (
            ["check", "--judge", "calm.yaml"],
            "calm.yaml: expected a judge, found a rubric",
        ),
        (
            ["run", "--judge", "calm.yaml"],
            "calm.yaml: expected a judge, found a rubric",
        ),
        (
            ["show", "pairs.yaml"],
            "pairs.yaml: expected a judge, found a list of pairs",
        ),
        (
            ["check", "--rubric", "strict.yaml"],
            "strict.yaml: expected a rubric, found a judge",
        ),
        (
            ["check", "--pairs", "calm.yaml"],
            "calm.yaml: expected a list of pairs, found a rubric",
        ),
        (["new", "x", "--rubric", "nope.yaml"], "no rubric file nope.yaml; looked in ."),
        (
            ["new", "x", "--rubric", "clam.yaml"],
            "no rubric file clam.yaml; looked in .; did you mean 'calm.yaml'?",
        ),
        (
            ["new", "x", "--rubric", "strict.yaml"],
            "strict.yaml: expected a rubric, found a judge",
        ),
        (
            ["check", "strict.yaml"],
            (
                "strict.yaml: a judge is named with --judge: `simworld judge check --judge"
                " strict.yaml`; `simworld check strict.yaml` checks the file"
            ),
        ),
        (
            ["run", "calm.yaml"],
            (
                "calm.yaml is not a judge: its keys are those of another kind of file (rubric); `simworld"
                " check calm.yaml` checks the file"
            ),
        ),
        (
            ["check", "pairs.yaml"],
            (
                "pairs.yaml: pairs are named with --pairs: `simworld judge check --judge SPEC"
                " --pairs pairs.yaml`"
            ),
        ),
        (
            ["attribute", "smol-digits", "--method", "prefixes"],
            "`simworld judge attribute --judge smol-digits`",
        ),
    ],
)
def test_a_file_of_another_kind_is_one_line(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    said = (
        str(result.exception)
        if isinstance(result.exception, InputError)
        else result.output.strip().splitlines()[-1]
    )
    assert message in said
    assert len(said.splitlines()) == 1
    assert not Path("x.yaml").exists()


def test_a_new_judge_names_a_rubric_beside_it(folder: Path) -> None:
    (folder / "judges").mkdir()
    # from here
    assert run("new", "x", "--rubric", "calm.yaml", "--out", "judges/x.yaml").exit_code == 0
    (folder / "judges" / "own.yaml").write_text(RUBRIC)
    # from beside it
    assert run("new", "y", "--rubric", "own.yaml", "--out", "judges/y.yaml").exit_code == 0
    assert run("new", "z", "--rubric", "sotopia").exit_code == 0
    assert run("show", "judges/y.yaml").output.splitlines()[-1].strip().startswith("composure")


def test_the_help_of_check_shows_a_pair() -> None:
    assert "- setting: " in run("check", "--help").output
