"""`simworld.run`: the command's job, for Python."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

import simworld
from agents import ScriptedAgent
from simworld import InputError, LMSpec, ResumeRefused, ScriptedSpec, Stopped, load_scenario
from simworld.cli import cli
from simworld.core.episode import Observation
from simworld.core.protocols import ActGenerator
from simworld.jobs.run import read_given_casts


def test_a_run_is_played_once_and_told_quietly(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = simworld.run("k*.yaml", ["polite.yaml", "rude.yaml"], repeats=2)
    assert capsys.readouterr() == ("", "")
    counts = (done.planned, done.finished_before, done.played, done.failed, done.missing)
    assert counts == (6, 0, 6, 0, 0)
    assert (done.failures, done.budget_spent) == ((), False)
    assert str(done) == f"run {done.run}: 6 episodes played (0 failed), 0 already there, 6 planned"
    frame = done.frame()
    assert list(frame["scenario"].value_counts().sort_index()) == [2, 2, 2]
    assert set(frame["run"]) == {done.run}
    assert frame["episode"].is_unique
    again = simworld.run("k*.yaml", ["polite.yaml", "rude.yaml"], repeats=3)
    assert (again.run, again.finished_before, again.played) == (done.run, 6, 3)
    with pytest.raises(FrozenInstanceError):
        done.played = 7  # type: ignore[misc]


def test_the_command_and_python_play_one_run(folder: Path) -> None:
    done = CliRunner().invoke(
        cli, ["run", "k*.yaml", "--agents", "polite.yaml,rude.yaml", "--seed", "3"]
    )
    assert done.exit_code == 0, done.output
    here = simworld.run("k*.yaml", ["polite.yaml", "rude.yaml"], seed=3)
    assert (here.finished_before, here.played) == (3, 0)
    assert here.run in done.stdout


def test_names_paths_and_objects_mean_the_same(folder: Path) -> None:
    rude = ScriptedSpec(name="rude", kind="scripted", lines=("Go away.", "Well."))
    scenarios = [*load_scenario("k0.yaml"), *load_scenario(Path("k1.yaml"))]
    first = simworld.run(["k0.yaml", "k1.yaml"], {"cook": "polite.yaml", "*": "rude.yaml"})
    second = simworld.run(scenarios, {"cook": Path("polite.yaml"), "guest": rude})
    third = simworld.run(["k1.yaml", scenarios[0]], [["polite.yaml", rude]])
    assert {first.run, second.run, third.run} == {first.run}
    assert (second.played, third.played, third.planned) == (0, 0, 2)


def test_casts_in_all_their_forms() -> None:
    spec = ScriptedSpec(name="rude", kind="scripted", lines=("No.",))
    assert read_given_casts("a") == ({"*": "a"},)
    assert read_given_casts(spec) == ({"*": spec},)
    assert read_given_casts(["a", spec]) == (["a", spec],)
    assert read_given_casts({"cook": "a"}) == ({"cook": "a"},)
    assert read_given_casts([["a", "b"], {"*": "c"}]) == (["a", "b"], {"*": "c"})
    assert read_given_casts([]) == ()
    with pytest.raises(InputError, match=r"^cast: found str 'a' in a list of casts; give agents"):
        read_given_casts(["a", ["b", "c"]])
    with pytest.raises(InputError, match="cast: found int '5' in a list of casts"):
        read_given_casts(5)  # type: ignore[arg-type]


def test_everything_wrong_is_told_at_once_in_the_words_of_the_command(folder: Path) -> None:
    with pytest.raises(InputError) as error:
        simworld.run("k9.yaml", "poli.yaml", repeats=0, name="\n")
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("--repeats 0: expected a number from 1 to ")
    assert "k9.yaml" in lines[2]
    assert "no agent 'poli.yaml'" in lines[3]
    with pytest.raises(InputError, match="scenario 'kitchen-0' has the seats cook, guest, but"):
        simworld.run("k0.yaml", ["polite.yaml"])
    with pytest.raises(InputError, match="a scenario is a name, a file or a Scenario; found int"):
        simworld.run([5], "polite.yaml")  # type: ignore[list-item]
    with pytest.raises(InputError, match="no agents are given"):
        simworld.run("k0.yaml", [])


def test_options_are_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'thread'"):
        simworld.run("k0.yaml", "polite.yaml", thread=2)  # type: ignore[call-arg]
    with pytest.raises(InputError) as error:
        simworld.run("k0.yaml", "polite.yaml", max_live=0, concurrency=0, max_failures=1.5)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "max_live",
        "concurrency",
        "max_failures",
    ]
    monkeypatch.setenv("SIMWORLD_THREADS", "many")
    with pytest.raises(InputError, match="cpu_threads: expected a whole number from 1, found 'man"):
        simworld.run("k0.yaml", "polite.yaml")


def test_what_a_spec_made_in_python_names_is_looked_up_and_refused_by_its_name(
    folder: Path,
) -> None:
    spec = LMSpec(name="mine", model="builtin:smollm2-135m-instruct", prompt="scrip")
    with pytest.raises(InputError) as error:
        simworld.run("k0.yaml", spec)
    assert str(error.value).startswith("agent 'mine': prompt: no prompt 'scrip' beside this file")
    other = ScriptedSpec(name="rude", kind="scripted", lines=("Other.",))
    with pytest.raises(InputError, match=r"^two different agents are named 'rude'; rename one$"):
        simworld.run("k0.yaml", ["rude.yaml", other])


def test_changed_content_is_refused(folder: Path) -> None:
    simworld.run("k0.yaml", "polite.yaml", name="mine")
    (folder / "polite.yaml").write_text("name: polite\nkind: scripted\nlines: [No.]\n")
    with pytest.raises(ResumeRefused):
        simworld.run("k0.yaml", "polite.yaml", name="mine")


@pytest.fixture
def broken_in_number_1(monkeypatch: pytest.MonkeyPatch) -> None:
    act = ScriptedAgent.act

    def broken(agent: ScriptedAgent, observation: Observation) -> ActGenerator:
        if "number 1" in observation.setting:
            raise RuntimeError("no <idea>")
        return act(agent, observation)

    monkeypatch.setattr(ScriptedAgent, "act", broken)


@pytest.mark.usefixtures("broken_in_number_1")
def test_what_failed_is_listed_and_played_again_when_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = simworld.run("k*.yaml", "polite.yaml")
    assert (done.played, done.failed) == (3, 1)
    assert [failure.scenario_name for failure in done.failures] == ["kitchen-1"]
    assert str(done).splitlines()[1:] == [
        "  failed: cook (polite): agent: error: RuntimeError: no <idea>"
    ]
    assert "no &lt;idea&gt;" in done._repr_html_()
    assert "<table" in done._repr_html_()
    with Console(width=200) as console, console.capture() as shown:
        console.print(done)
    assert "failed: cook (polite)" in shown.get()
    assert "kitchen-2" in shown.get()
    assert simworld.run("k*.yaml", "polite.yaml").played == 0
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    again = simworld.run("k*.yaml", "polite.yaml", retry_failed=True, db="x.db")
    assert (again.played, again.failed, again.failures) == (1, 0, ())


@pytest.mark.usefixtures("broken_in_number_1")
def test_too_many_failures_stop(folder: Path) -> None:
    with pytest.raises(Stopped, match="1 of 3 episodes failed"):
        simworld.run("k*.yaml", "polite.yaml", max_failures=0, max_live=1)


def test_a_bar_is_shown_when_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Bar:
        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def __call__(self, progress: object) -> None:
            shown.append("told")

    monkeypatch.setattr("simworld.jobs.run.playing_bar", Bar)
    simworld.run("k0.yaml", "polite.yaml")
    assert shown == []
    simworld.run("k1.yaml", "polite.yaml", progress=True)
    assert shown


def test_a_password_is_not_shown(folder: Path) -> None:
    done = simworld.run("k0.yaml", "polite.yaml", db=folder / "secret.db")
    assert done.db.endswith("secret.db")
    assert "secret" not in repr(done)
