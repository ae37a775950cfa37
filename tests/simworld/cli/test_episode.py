"""`simworld episode`: lists and transcripts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import store
from simworld.cli.episode import episode
from simworld.core.episode import Act, Action, ActionKind, Turn
from simworld.core.errors import Failure, InputError
from store import AgentRecord, RunRecord
from tests.factories.steered_runs import NOON, new_store, play, scenario, step
from tests.factories.stored import add, begin, item, judged, played, speak, unjudgeable

FAILED = Failure(boundary="model", kind="timeout", message="no answer in 60 s")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three episodes; the first is judged twice, once in vain, the last failed."""
    path = tmp_path_factory.mktemp("db") / "world.db"
    with store.open_store(str(path), create=True) as opened:
        first, second, third = begin(opened)
        kinds = (
            Act(
                seat="seller",
                action=Action(kind=ActionKind.speak, text="Good evening.\x1b[31m\u202e"),
            ),
            Act(seat="buyer", action=Action(kind=ActionKind.non_verbal, text="nods")),
            Act(seat="seller", action=Action(kind=ActionKind.speak, text="psst", to=("buyer",))),
            Act(seat="buyer", action=Action(kind=ActionKind.none)),
            Act(seat="seller", action=Action(kind=ActionKind.leave)),
        )
        turns = tuple(Turn(index=index, acts=(act,)) for index, act in enumerate(kinds))
        add(opened, first, replace(played(first), turns=turns, reason="left"))
        add(opened, second, played(second, "Hello."))
        add(opened, third, played(third, failure=FAILED))
        for judge in ("j1", "j2"):
            opened.add_judge(judge, f"judge {judge}", {})
        opened.add_judgement(
            judged(first.episode_id(1), {("seller", "goal"): 7.5}), {("seller", "goal"): 0.75}
        )
        opened.add_judgement(unjudgeable(first.episode_id(1), judge="j2"), {})
    return path


def run(path: Path, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(episode, [*args, "--db", str(path)])
    assert result.exit_code == code, result.output
    return result


def test_list_shows_the_latest_last(path: Path) -> None:
    *lines, following = run(path, "list").stdout.splitlines()
    ids = [item(repeat=repeat).episode_id(1)[:10] for repeat in range(3)]
    assert [line.split()[0] for line in lines] == ["id", *ids]
    assert following == f"next: simworld episode show {ids[-1]} --db {path}"
    assert "seller=smol, buyer=rival" in lines[1]
    assert "failed: timeout, seller (smol)" in lines[3]  # nobody had spoken: it was the first seat


def test_list_filters(path: Path) -> None:
    failed = json.loads(run(path, "list", "--ending", "failed", "--json").stdout)
    assert [(found["repeat"], found["failure"]) for found in failed] == [(2, str(FAILED))]
    assert [(found["failed_seat"], found["failed_agent"]) for found in failed] == [
        ("seller", "smol")
    ]
    assert (
        len(
            json.loads(
                run(path, "list", "--agent", "smol", "--scenario", "ticket", "--json").stdout
            )
        )
        == 3
    )
    latest = run(path, "list", "--limit", "1", "--json")
    assert [found["repeat"] for found in json.loads(latest.stdout)] == [2]
    nothing = run(path, "list", "--ending", "terminated", "--scenario", "ticket")
    assert (nothing.stdout, nothing.stderr) == ("", "No episodes match.\n")


def test_show_prints_a_transcript_with_checks_and_scores(path: Path) -> None:
    out = run(path, "show", item().episode_id(1)[:12]).stdout
    assert "\x1b" not in out
    assert "\u202e" not in out
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "The ticket"
    for line in (
        "Nadia Brandt  seller, played by smol",
        "1 Nadia Brandt: Good evening.\\x1b[31m\\u202e",
        "2 Tomás Okafor 🎻 [nods]",
        "3 Nadia Brandt (only to Tomás Okafor 🎻): psst",
        "4 Tomás Okafor 🎻 [does nothing]",
        "5 Nadia Brandt [leaves]",
        "Ended after 5 turns: turn_limit (left)",
        "failed: judge: timeout: no answer",
    ):
        assert line in lines
    assert ["price", "yes", "70", "2"] in [line.split() for line in lines]
    assert ["goal", "7.5"] in [line.split() for line in lines]


def test_show_prints_json_without_loss(path: Path) -> None:
    data = json.loads(run(path, "show", item().episode_id(1), "--json").stdout)
    assert data["turns"][0]["acts"][0]["text"] == "Good evening.\x1b[31m\u202e"
    assert {judgement["status"] for judgement in data["judgements"]} == {"ok", "failed"}


def test_show_tells_thoughts_on_request_alone(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    with store.open_store(str(path), create=True) as opened:
        first, *_ = begin(opened)
        spoken = speak("seller", "Seventy.")
        assert spoken.generation is not None
        raw = "<think>\nMy floor is 60.\n</think>\n\nSeventy."
        shown = replace(spoken, generation=replace(spoken.generation, raw=raw, reasoning_tokens=21))
        hidden = replace(
            spoken, seat="buyer", generation=replace(spoken.generation, reasoning_tokens=9)
        )
        turns = (
            Turn(index=0, acts=(shown,)),
            Turn(index=1, acts=(hidden,)),
            Turn(index=2, acts=(spoken,)),
        )
        add(opened, first, replace(played(first), turns=turns))
    lines = [
        line.strip()
        for line in run(path, "show", first.episode_id(1), "--reasoning").stdout.splitlines()
    ]
    assert lines.index("thought (21 tokens): My floor is 60.") + 1 == lines.index(
        "1 Nadia Brandt: Seventy."
    )
    assert "thought (9 tokens): the server did not show it" in lines
    assert len([line for line in lines if line.startswith("thought")]) == 2
    assert "floor" not in run(path, "show", first.episode_id(1)).stdout


def test_show_says_why_an_episode_failed(path: Path) -> None:
    out = run(path, "show", item(repeat=2).episode_id(1)).stdout
    assert "seller (smol): model: timeout: no answer in 60 s" in out
    assert "The command that plays run first plays it again with --retry-failed." in out


def test_an_unknown_id(path: Path) -> None:
    result = run(path, "show", "nonsense", code=1)
    assert isinstance(result.exception, InputError)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--run", "frist"), "no run 'frist' in this database; did you mean 'first'?"),
        (("--run", "fir"), "no run 'fir' in this database; did you mean 'first'?"),
        (("--run", "zzz"), "no run 'zzz' in this database; there are first"),
        (("--scenario", "tickt"), "no scenario 'tickt' in this database; did you mean 'ticket'?"),
        (("--family", "tikets"), "no family 'tikets' in this database; did you mean 'tickets'?"),
        (
            ("--agent", "rivl", "--run", "frist"),
            "did you mean 'first'?\nno agent 'rivl' in this database; did you mean 'rival'?",
        ),
    ],
)
def test_list_says_which_name_was_meant(path: Path, args: tuple[str, ...], told: str) -> None:
    result = run(path, "list", *args, code=1)
    assert isinstance(result.exception, InputError)
    assert str(result.exception).endswith(told)


def test_show_says_which_episode_was_meant(path: Path) -> None:
    whole = item().episode_id(1)
    other = "0" if whole[4] != "0" else "1"
    for wrong in (
        whole[:4] + other + whole[5:12],
        whole[:5] + whole[6:12],
        whole[:4] + "o" + whole[5:12],
    ):
        result = run(path, "show", wrong, code=1)
        assert str(result.exception).endswith(f"; did you mean '{whole[: max(10, len(wrong))]}'?")
    far = run(path, "show", "0123456789", code=1)
    assert str(far.exception) == "no episode 0123456789; see `simworld episode list`"
    of_a_run = run(path, "show", "first", code=1)
    assert (
        str(of_a_run.exception)
        == "'first' is a run; `simworld episode list --run first` lists its episodes"
    )


def test_show_says_which_ways_a_steered_line_is_nearest_to(tmp_path: Path) -> None:
    ways = [
        {"words": "thank: “Thank you.”", "action": [1.0, 1.0]},
        {"words": "ask\x1b[31m", "action": [1.0, -1.0]},
        {"words": "far", "action": [-1.0, -1.0]},
    ]
    steered = AgentRecord(
        id="s1", name="steered", spec={"steering": {"planner": "p1", "ways": ways}}
    )
    scene = scenario("thing")
    with new_store(tmp_path) as opened:
        record = RunRecord(name="first", seed=1, code_version="0", created=NOON)
        opened.begin_run(record, [], [scene], [steered])
        # in turn 0 (1, −1), in turn 2 another planner
        plans = {0: step(0), 2: step(2, planner="p2")}
        id_ = play(opened, scene, ["Well?", "no", "So.", "yes"], plans=plans)
    path = tmp_path / "world.db"
    lines = run(path, "show", id_).stdout.splitlines()
    (told,) = [number for number, line in enumerate(lines) if "steered to" in line]
    assert lines[told - 1].endswith("Well?")
    # cosines of (1, −1): 1 and 0
    assert lines[told].strip() == "steered to ask\\x1b[31m (1.00); thank: “Thank you.” (0.00)"
    near = json.loads(run(path, "show", id_, "--json").stdout)["nearest_ways"]
    assert [(each["turn"], each["seat"], each["ways"][0]["words"]) for each in near] == [
        (0, "seller", "ask\x1b[31m")
    ]
