"""The whole loop with every real part, on a tiny random model; what is done once, and what is done
again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.lm_agent import LMAgent
from agents.steering.checkpoint import load_checkpoint
from simworld import connect
from simworld.cli.learn import learn
from simworld.core.episode import Observation
from simworld.core.errors import InputError
from simworld.core.protocols import ActGenerator
from store import open_store
from tests.factories.pipelines import FILE, STAGES, call, failed, run, skipped


def test_the_whole_loop_and_again(folder: Path) -> None:
    (dry,) = call("--dry-run")
    assert not (folder / "x.db").exists()
    assert [stage["stage"].rsplit("-", 1)[0] for stage in dry["stages"]] == STAGES
    assert not any(stage["done"] for stage in dry["stages"])
    # Four replies; four scenarios, two seats; two scenarios, two seats, five arms.
    assert [stage["episodes"] for stage in dry["stages"] if stage["episodes"]] == [4, 8, 20]
    assert (dry["planner"], dry["report"]) == (None, None)

    (first,) = call()
    assert [stage["stage"] for stage in first["stages"]] == [
        stage["stage"] for stage in dry["stages"]
    ]
    assert not any(skipped(first).values())
    assert set(first["report"]["arms"]) == {"base", "clone", "random", "constant", "planner"}
    assert all(
        arm["planned"] == 4 and not arm["missing"] for arm in first["report"]["arms"].values()
    )
    pairs = [(one["first"], one["second"]) for one in first["report"]["comparisons"]]
    assert ("planner", "clone") in pairs
    assert ("planner", "constant") in pairs
    assert (folder / first["planner"] / "planner.json").is_file()
    with open_store("x.db") as store:
        episodes = len(store.episode_summaries())
        (training,) = [training for training in store.training_runs() if training.kind == "td3bc"]
    assert training.status == "finished"

    (again,) = call()
    assert all(skipped(again).values())
    assert again["report"] == first["report"]
    with open_store("x.db") as store:
        assert len(store.episode_summaries()) == episodes

    # Another learner's setting: what comes before stays, training and evaluation are done again.
    (folder / "loop.yaml").write_text(FILE.replace("alpha: 2", "alpha: 3"))
    (changed,) = call()
    assert [name for name, before in skipped(changed).items() if not before] == [
        "train",
        "evaluate",
    ]
    (folder / "loop.yaml").write_text(FILE)
    assert all(skipped(call()[0]).values())  # both are kept

    # A planner that is gone or damaged is made again, from the same data the same one: the
    # evaluation still stands.
    shutil.rmtree(folder / first["planner"])
    (repaired,) = call()
    assert [name for name, before in skipped(repaired).items() if not before] == ["train"]
    assert repaired["report"] == first["report"]


def test_a_stage_that_was_interrupted_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    (folder / "loop.yaml").write_text(
        FILE.replace("{quality: 0}", "{quality: 0, arms: [base, clone]}")
    )
    with monkeypatch.context() as patched:
        patched.setattr("simworld.training.cloning.clone_checkpoint.measure_neutrality", stopped)
        first = run()
    assert first.exit_code == 130
    assert "the same command goes on from here" in first.stderr
    (kept,) = folder.glob("learn-tiny/.clone-*-training/descent.safetensors")
    (again,) = call()
    assert [name for name, before in skipped(again).items() if before] == ["upmap", "replies"]
    assert not kept.parent.exists()
    with open_store("x.db") as store:  # the steps were taken once
        steps = [
            len(store.training_steps(t.name, metric="loss"))
            for t in store.training_runs()
            if t.kind == "clone"
        ]
    assert sorted(steps) == [0, 1]


def test_what_failed_is_played_again_when_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = LMAgent.act

    def broken(agent: LMAgent, observation: Observation) -> ActGenerator:
        if "hat" in observation.setting:
            raise RuntimeError("no idea")
        return act(agent, observation)

    (folder / "loop.yaml").write_text(
        FILE.replace("clone: {", "clone: null #").replace(
            "{quality: 0}", "{quality: 0, arms: [base, planner]}"
        )
    )
    monkeypatch.setattr(LMAgent, "act", broken)
    (first,) = call()
    assert failed(first) == {"collect": 2}  # of a scenario with two seats
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    told = run()
    assert "done before, 2 failed (--retry-failed tries again)" in told.stderr
    assert "  failed: seller (plain-explore): agent: error: RuntimeError: no idea" in told.stderr
    assert re.search(
        r"  failed.*: (?:buyer|seller) \(plain-explore\): agent: error: RuntimeError: no idea",
        told.stderr,
    )
    assert all(skipped(call()[0]).values())
    (again,) = call("--retry-failed")
    assert failed(again) == {}
    assert [name for name, before in skipped(again).items() if before] == ["upmap"]
    with open_store("x.db") as store:
        tried = [
            s.attempt
            for s in store.episode_summaries()
            if s.scenario_name == "hat" and s.run.startswith("tiny-collect")
        ]
    assert sorted(tried) == [1, 1, 2, 2]


def test_a_grid_shares_stages_and_ends_in_one_table(folder: Path) -> None:
    (folder / "loop.yaml").write_text(
        FILE.replace("alpha: 2", "alpha: [1, 4]").replace("clone: {", "clone: null #")
    )
    found = call("--dry-run")
    assert [one["values"] for one in found] == [{"train.td3bc.alpha": 1}, {"train.td3bc.alpha": 4}]
    labels = [[stage["stage"] for stage in one["stages"]] for one in found]
    assert [a == b for a, b in zip(*labels, strict=True)] == [True, True, True, False, True, False]
    done = run()
    assert done.exit_code == 0, done.exception
    assert "train.td3bc.alpha" in done.stdout
    assert done.stdout.count("constant") == 2
    assert "families show that it runs, but no effect" in done.stdout
    assert "What they say more and less often than base" in done.stdout
    assert "planner (train.td3bc.alpha=1)" in done.stdout.partition("more and less")[2]
    assert "clone" not in done.stdout


def test_states_of_a_sentence_encoder(folder: Path) -> None:
    text = FILE.replace("act_norm: 2}", "act_norm: 2, text_encoder: 'builtin:all-minilm-l6-v2'}")
    (folder / "loop.yaml").write_text(
        text.replace("{quality: 0}", "{quality: 0, arms: [base, clone, planner]}")
    )
    (found,) = call()
    planner = load_checkpoint(folder / found["planner"])
    assert (planner.info.encoder.kind, planner.info.d_state) == ("text", 385)
    assert found["report"]["arms"]["planner"]["failed"] == 0
    with connect("x.db") as db:
        played = db.sql("SELECT DISTINCT encoder_id FROM plan_steps")
    assert list(played["encoder_id"]) == [planner.info.encoder.id]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("partners: [plain.yaml]", "partners: [nobody]", "no agent 'nobody'"),
        (
            "test: [lamp.yaml, door.yaml]",
            "test: [lamp.yaml, hat.yaml]",
            "1 family is in both train and test (hat)",
        ),
        ("alpha: 2", "alfa: 2", "loop.yaml:10:"),
        ("alpha: 2", "alpha: []", "an empty list leaves nothing to run"),
        ("alpha: 2", "alpha: [1, -1]", "alpha"),
        ("pattern: '[a-z]'", "pattern: '('", "not a valid regular expression"),
        (
            "{measure: lexical, pattern: '[a-z]'}",
            "{measure: judged}\njudge: smol-statments",
            "did you mean 'smol-statements'?",
        ),
        ("evaluate: {quality: 0}", "evaluate: {arms: [base]}", "a comparison needs two arms"),
        ("name: tiny", "", "name"),
        ("name: tiny", "name: tiny\nrounds: 2", "random directions are the same in every round"),
        (
            "name: tiny",
            "name: tiny\ncollect: {keep: 0.5}",
            "only rounds of ways have a use for them",
        ),
        (
            "clone: {steps",
            "latent: {size: 2}\nclone: null # {steps",
            "made around a clone's prefix",
        ),
    ],
)
def test_bad_files(folder: Path, old: str, new: str, message: str) -> None:
    assert old in FILE
    (folder / "loop.yaml").write_text(FILE.replace(old, new))
    done = run("--dry-run")
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_a_scripted_agent_cannot_be_steered_and_everything_comes_at_once(folder: Path) -> None:
    (folder / "plain.yaml").write_text("name: plain\nkind: scripted\nlines: [Hello.]\n")
    (folder / "loop.yaml").write_text(FILE.replace("door.yaml", "dor.yaml"))
    done = run()
    assert isinstance(done.exception, InputError)
    assert "only an agent of a local model (builtin: or hf:) can be steered" in str(done.exception)
    assert "dor.yaml" in str(done.exception)


def test_no_such_file(folder: Path) -> None:
    done = CliRunner().invoke(learn, ["smal", "--db", "x.db"])
    assert "no learn file named 'smal'; did you mean 'small'?" in str(done.exception)
