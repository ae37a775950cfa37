"""The whole loop with every real part, on a tiny random model; what is done once, and what is done again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from agents.lm_agent import LMAgent
from agents.steering.checkpoint import load_checkpoint
from simworld import connect
from simworld.cli import cli
from simworld.cli.learn import learn
from simworld.core.episode import Observation
from simworld.core.errors import Failure, InputError
from simworld.core.protocols import Thinking
from simworld.core.scenario import Scenario
from simworld.judging.attribution import Attributing, attribute
from simworld.judging.judge import Judge
from store import open_store
from tests.simworld.training import taught

SCENE = """\
name: {name}
setting: A {name}.
seats:
  - {{name: seller, persona: {{name: Ann Lee}}, goal: Sell the {name}.}}
  - {{name: buyer, persona: {{name: Bo Ek}}, goal: Buy it.}}
limits: {{turns: 4}}
"""
# About every second line of the random model has a small letter, so that rewards differ in every family.
FILE = """\
name: tiny
agent: plain.yaml
partners: [plain.yaml]
scenarios:
  train: [chair.yaml, boat.yaml, hat.yaml, dog.yaml]
  test: [lamp.yaml, door.yaml]
upmap: {tokens: 2, action_size: 4, act_norm: 2}
clone: {steps: 1, batch_size: 1, replies: 4, tested: 2}
reward: {measure: lexical, pattern: '[a-z]'}
train: {hidden: [8], loop: {steps: 4, batch_size: 4, every: 2}, td3bc: {alpha: 2}}
evaluate: {quality: 0}
"""
RUBRIC = """\
name: one
dimensions:
  - {name: goal, range: [0, 10], question: 'Did {name} win?', statements: [{high: '{name} won.', low: '{name} lost.'}]}
"""
STAGES = ["upmap", "replies", "clone", "collect", "dataset", "train", "constant", "evaluate"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taught.save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    for name in ("chair", "boat", "hat", "dog", "lamp", "door"):
        (tmp_path / f"{name}.yaml").write_text(SCENE.format(name=name))
    (tmp_path / "short.yaml").write_text("style: script\ninstructions: '{{name}}: {{goal}}'\n")
    (tmp_path / "plain.yaml").write_text(
        f"name: plain\nmodel: hf:{model}\ndtype: float32\nprompt: short.yaml\nreasks: 10\nsampling: {{max_new_tokens: 12}}\n"
    )
    (tmp_path / "loop.yaml").write_text(FILE)
    return tmp_path


def call(*args: str) -> Any:
    done = run(*args, "--json")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout)


def run(*args: str) -> Result:
    return CliRunner().invoke(learn, ["loop.yaml", "--db", "x.db", "--threads", "1", *args])


def skipped(result: dict[str, Any]) -> dict[str, bool]:
    return {stage["stage"].rsplit("-", 1)[0]: stage["skipped"] for stage in result["stages"]}


def failed(result: dict[str, Any]) -> dict[str, int]:
    return {stage["stage"].rsplit("-", 1)[0]: stage["failed"] for stage in result["stages"] if stage["failed"]}


def test_the_whole_loop_and_again(folder: Path) -> None:
    (dry,) = call("--dry-run")
    assert not (folder / "x.db").exists()
    assert [stage["stage"].rsplit("-", 1)[0] for stage in dry["stages"]] == STAGES
    assert not any(stage["done"] for stage in dry["stages"])
    # Four replies; four scenarios, two seats; two scenarios, two seats, five arms.
    assert [stage["episodes"] for stage in dry["stages"] if stage["episodes"]] == [4, 8, 20]
    assert (dry["planner"], dry["report"]) == (None, None)

    (first,) = call()
    assert [stage["stage"] for stage in first["stages"]] == [stage["stage"] for stage in dry["stages"]]
    assert not any(skipped(first).values())
    assert set(first["report"]["arms"]) == {"base", "clone", "random", "constant", "planner"}
    assert all(arm["planned"] == 4 and not arm["missing"] for arm in first["report"]["arms"].values())
    pairs = [(one["first"], one["second"]) for one in first["report"]["comparisons"]]
    assert ("planner", "clone") in pairs
    assert ("planner", "constant") in pairs
    assert (folder / first["planner"] / "planner.json").is_file()
    with open_store("x.db") as store:
        episodes = len(store.summaries())
        (training,) = [training for training in store.training_runs() if training.kind == "td3bc"]
    assert training.status == "finished"

    (again,) = call()
    assert all(skipped(again).values())
    assert again["report"] == first["report"]
    with open_store("x.db") as store:
        assert len(store.summaries()) == episodes

    # Another learner's setting: what comes before stays, training and evaluation are done again.
    (folder / "loop.yaml").write_text(FILE.replace("alpha: 2", "alpha: 3"))
    (changed,) = call()
    assert [name for name, before in skipped(changed).items() if not before] == ["train", "evaluate"]
    (folder / "loop.yaml").write_text(FILE)
    assert all(skipped(call()[0]).values())  # both are kept

    # A planner that is gone or damaged is made again, from the same data the same one: the evaluation still stands.
    shutil.rmtree(folder / first["planner"])
    (repaired,) = call()
    assert [name for name, before in skipped(repaired).items() if not before] == ["train"]
    assert repaired["report"] == first["report"]


def test_a_stage_that_was_interrupted_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    (folder / "loop.yaml").write_text(FILE.replace("{quality: 0}", "{quality: 0, arms: [base, clone]}"))
    with monkeypatch.context() as patched:
        patched.setattr("simworld.training.cloning.measure", stopped)
        first = run()
    assert first.exit_code == 130
    assert "the same command goes on from here" in first.stderr
    (kept,) = folder.glob("learn-tiny/.clone-*-training/descent.safetensors")
    (again,) = call()
    assert [name for name, before in skipped(again).items() if before] == ["upmap", "replies"]
    assert not kept.parent.exists()
    with open_store("x.db") as store:  # the steps were taken once
        steps = [len(store.training_steps(t.name, metric="loss")) for t in store.training_runs() if t.kind == "clone"]
    assert sorted(steps) == [0, 1]


def test_what_failed_is_played_again_when_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act = LMAgent.act

    def broken(agent: LMAgent, observation: Observation) -> Thinking:
        if "hat" in observation.setting:
            raise RuntimeError("no idea")
        return act(agent, observation)

    (folder / "loop.yaml").write_text(
        FILE.replace("clone: {", "clone: null #").replace("{quality: 0}", "{quality: 0, arms: [base, planner]}")
    )
    monkeypatch.setattr(LMAgent, "act", broken)
    (first,) = call()
    assert failed(first) == {"collect": 2}  # of a scenario with two seats
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    told = run()
    assert "done before, 2 failed (--retry-failed tries again)" in told.stderr
    assert all(skipped(call()[0]).values())
    (again,) = call("--retry-failed")
    assert failed(again) == {}
    assert [name for name, before in skipped(again).items() if before] == ["upmap"]
    with open_store("x.db") as store:
        tried = [s.attempt for s in store.summaries() if s.scenario_name == "hat" and s.run.startswith("tiny-collect")]
    assert sorted(tried) == [1, 1, 2, 2]


def test_a_grid_shares_stages_and_ends_in_one_table(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE.replace("alpha: 2", "alpha: [1, 4]").replace("clone: {", "clone: null #"))
    found = call("--dry-run")
    assert [one["values"] for one in found] == [{"train.td3bc.alpha": 1}, {"train.td3bc.alpha": 4}]
    labels = [[stage["stage"] for stage in one["stages"]] for one in found]
    assert [a == b for a, b in zip(*labels, strict=True)] == [True, True, True, False, True, False]
    done = run()
    assert done.exit_code == 0, done.exception
    assert "train.td3bc.alpha" in done.stdout
    assert done.stdout.count("constant") == 2
    assert "clone" not in done.stdout


def test_states_of_a_sentence_encoder(folder: Path) -> None:
    text = FILE.replace("act_norm: 2}", "act_norm: 2, text_encoder: 'builtin:all-minilm-l6-v2'}")
    (folder / "loop.yaml").write_text(text.replace("{quality: 0}", "{quality: 0, arms: [base, clone, planner]}"))
    (found,) = call()
    planner = load_checkpoint(folder / found["planner"])
    assert (planner.info.encoder.kind, planner.info.d_state) == ("text", 385)
    assert found["report"]["arms"]["planner"]["failed"] == 0
    with connect("x.db") as db:
        played = db.sql("SELECT DISTINCT encoder_id FROM plan_steps")
    assert list(played["encoder_id"]) == [planner.info.encoder.id]


def test_a_loop_with_a_latent_upmap_in_self_play(folder: Path) -> None:
    text = FILE.replace("reward: {", "latent: {size: 3, steps: 2, batch_size: 2, replies: 6, tested: 2}\nreward: {")
    collect = "collect: {self_play: true, explore: {kind: noise, sigma: 1}}\n"
    (folder / "loop.yaml").write_text(text + collect)
    (dry,) = call("--dry-run")
    assert [stage["episodes"] for stage in dry["stages"] if stage["episodes"]] == [4, 4, 24]  # six arms
    (found,) = call()
    names = list(skipped(found))
    assert names == [*STAGES[:3], "latent", *STAGES[3:]]
    with open_store("x.db") as store:
        (run,) = [each.run.name for each in store.runs() if "-collect-" in each.run.name]
        casts = [each.episode.cast for each in store.episodes(run=run)]
    assert all(len(set(cast.values())) == 1 for cast in casts)  # the explorer in every seat
    planner = load_checkpoint(folder / found["planner"])
    assert planner.info.upmap == "latent"
    assert all(skipped(call()[0]).values())
    (folder / "loop.yaml").write_text((text + collect).replace("[a-z]", "[a-m]"))
    again = skipped(call()[0])  # another reward for the same replies
    assert [name for name in names if not again[name]] == ["dataset", "train", "constant", "evaluate"]


def test_an_explorer_that_stays_near_the_clone_is_an_arm_of_its_own(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE + "collect: {explore: {kind: noise, sigma: 0.05}}\n")
    (found,) = call()
    assert set(found["report"]["arms"]) == {"base", "clone", "random", "explorer", "constant", "planner"}
    assert mean_length("plain-explorer") > 0.98  # all one way, as those that were collected
    assert mean_length("plain-explore") > 0.98
    assert mean_length("plain-random") < 0.9


def test_rounds_of_ways_try_the_most_rewarded_again_beside_the_neutral_action(folder: Path) -> None:
    text = FILE.replace(
        "reward: {", "latent: {size: 3, ways: 4, steps: 1, batch_size: 2, replies: 6, tested: 2}\nreward: {"
    )
    collect = "rounds: 2\ncollect: {repeats: 3, explore: {kind: ways, per: episode}, keep: 0.5, share: 0.2}\n"
    (folder / "loop.yaml").write_text(
        text.replace("evaluate: {quality: 0}", "evaluate: {quality: 0, arms: [base, planner]}") + collect
    )
    (found,) = call()
    names = [stage["stage"].rsplit("-", 1)[0] for stage in found["stages"]]
    assert names == [*STAGES[:3], "latent", "collect", "dataset", "ways", "collect", "dataset", "train", "evaluate"]
    stages = {name: stage["stage"] for name, stage in zip(names, found["stages"], strict=True)}
    all_ways, fewer = (load_checkpoint(folder / "learn-tiny" / stages[name]) for name in ("latent", "ways"))
    assert all_ways.ways is not None
    assert fewer.ways is not None
    assert fewer.info.parent == all_ways.id
    assert load_checkpoint(folder / found["planner"]).info.parent == fewer.id
    # Half of those that were tried, and the neutral action first.
    assert 2 <= len(fewer.ways) <= 3
    assert fewer.ways[0].tolist() == [2, 0, 0, 0]
    torch.testing.assert_close(fewer.ways[1:, 0], torch.full((len(fewer.ways) - 1,), 0.4))
    with open_store("x.db") as store:
        runs = [state.run.name for state in store.runs() if "-collect-" in state.run.name]
        played = [
            {
                str(np.round(np.asarray(act.plan.action), 3))
                for each in store.episodes(run=name)
                for act in each.episode.acts
                if act.plan
            }
            for name in runs
        ]
    assert {str(np.round(way, 3)) for way in fewer.ways.numpy()} in played
    assert all(skipped(call()[0]).values())


def test_a_round_explores_around_the_planner_of_the_one_before(folder: Path) -> None:
    collect = "rounds: 2\ncollect: {explore: {kind: noise, sigma: 0.5}}\n"
    (folder / "loop.yaml").write_text(
        FILE.replace("evaluate: {quality: 0}", "evaluate: {quality: 0, arms: [base, planner]}") + collect
    )
    (dry,) = call("--dry-run")
    assert [stage["episodes"] for stage in dry["stages"] if stage["episodes"]] == [4, 8, 8, 8]
    (found,) = call()
    names = [stage["stage"].rsplit("-", 1)[0] for stage in found["stages"]]
    assert names == ["upmap", "replies", "clone", *["collect", "dataset", "train"] * 2, "evaluate"]
    work = folder / "learn-tiny"
    first, second = (
        load_checkpoint(work / stage["stage"]) for stage in found["stages"] if stage["stage"].startswith("train-")
    )
    assert second.info.parent == first.id
    assert load_checkpoint(folder / found["planner"]).id == second.id
    with open_store("x.db") as store:
        played = [
            {
                act.plan.planner_id
                for each in store.episodes(run=state.run.name)
                for act in each.episode.acts
                if act.plan
            }
            for state in store.runs()
            if "-collect-" in state.run.name
        ]
    assert sorted(map(len, played)) == [1, 1]
    assert {first.id} in played
    assert {second.id} not in played
    assert all(skipped(call()[0]).values())


def mean_length(agent: str) -> float:
    """Of an agent's actions in x.db, as a share of the length of each."""
    with connect("x.db") as analysis:
        blobs = analysis.sql(
            "SELECT p.action FROM plan_steps p JOIN acts a ON a.episode_id = p.episode_id AND a.turn = p.turn "
            "JOIN episode_seats s ON s.episode_id = p.episode_id AND s.seat = a.seat WHERE s.agent_name = :agent",
            agent=agent,
        )
    actions = np.stack([np.frombuffer(blob, np.float32) for blob in blobs["action"]])
    return float(np.linalg.norm(actions.mean(0)) / np.linalg.norm(actions[0]))


def test_a_judged_loop_judges_what_was_collected_and_what_is_compared(folder: Path, model: Path) -> None:
    judge = f"name: strict\nmodel: hf:{model}\ndtype: float32\nmethod: statements\nrubric: one.yaml\n"
    (folder / "strict.yaml").write_text(judge)
    (folder / "one.yaml").write_text(RUBRIC)
    reward = "{measure: judged, weights: {goal: 1}, place: uniform}\njudge: strict.yaml"
    text = FILE.replace("{measure: lexical, pattern: '[a-z]'}", reward).replace("clone: {", "clone: null #")
    (folder / "loop.yaml").write_text(text.replace("{quality: 0}", "{quality: 0, arms: [base, planner], seats: first}"))
    (found,) = call()
    assert [name for name in skipped(found) if name in ("judge", "constant", "clone")] == ["judge"]
    report = found["report"]
    assert report["main"] == "overall"
    assert "goal" in report["comparisons"][0]["measures"]
    assert report["arms"]["planner"]["planned"] == 2
    assert report["judges"][0].startswith("strict@")
    assert all(skipped(call()[0]).values())


def judged_loop(folder: Path, model: Path, place: str, ask: str = "Outcome:") -> None:
    judge = f"name: strict\nmodel: hf:{model}\ndtype: float32\nmethod: statements\nrubric: one.yaml\nask: '{ask}'\n"
    (folder / "strict.yaml").write_text(judge)
    (folder / "one.yaml").write_text(RUBRIC)
    reward = f"{{measure: judged, place: {place}}}\njudge: strict.yaml"
    text = FILE.replace("{measure: lexical, pattern: '[a-z]'}", reward).replace("clone: {", "clone: null #")
    (folder / "loop.yaml").write_text(text.replace("{quality: 0}", "{quality: 0, arms: [base, planner], seats: first}"))


def test_another_judge_of_the_run_changes_nothing_and_a_judge_that_is_edited_judges_again(
    folder: Path, model: Path
) -> None:
    judged_loop(folder, model, "uniform")
    (first,) = call()
    (run_name,) = {stage["stage"] for stage in first["stages"] if stage["stage"].startswith("collect")}
    (folder / "other.yaml").write_text((folder / "strict.yaml").read_text().replace("name: strict", "name: other"))
    more = CliRunner().invoke(
        cli, ["judge", "run", "--judge", "other.yaml", "--run", f"tiny-{run_name}", "--db", "x.db"]
    )
    assert more.exit_code == 0, more.output
    assert all(skipped(call()[0]).values())
    judged_loop(folder, model, "uniform", ask="In the end:")  # the same name, so the run has two judges of that name
    (edited,) = call()
    assert [name for name, before in skipped(edited).items() if not before] == ["judge", "dataset", "train", "evaluate"]
    assert all(skipped(call()[0]).values())


def test_utterances_that_a_judge_could_not_weigh_are_asked_about_again_when_told(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def broken(judge: Judge, method: str, scenario: Scenario, *rest: Any) -> Attributing:
        asked.append(scenario.name)
        if scenario.name in wrong:
            return Failure(boundary="judge", kind="answer", message="no word")
        return (yield from attribute(judge, method, scenario, *rest))

    monkeypatch.setattr("simworld.judging.attribute.attribute", broken)
    judged_loop(folder, model, "attributed")
    wrong = {"chair", "boat", "hat", "dog"}
    with pytest.raises(
        InputError, match=r"could tell of none of the 8 judged episodes .*what an utterance was worth.*no word"
    ):
        call()
    wrong = {"hat"}
    (first,) = call()
    assert failed(first)["judge"] == 2
    (planner,) = folder.glob(f"{first['planner']}/planner.json")
    rows = json.loads(planner.read_text())["data"]["rows"]
    assert all(skipped(call()[0]).values())
    wrong, asked[:] = set(), []
    (again,) = call("--retry-failed")
    assert (asked, failed(again)) == (["hat", "hat"], {})
    assert [name for name, before in skipped(again).items() if not before] == ["judge", "dataset", "train", "evaluate"]
    (planner,) = folder.glob(f"{again['planner']}/planner.json")
    assert json.loads(planner.read_text())["data"]["rows"] > rows


def test_a_judge_that_scores_nothing_stops_the_loop(folder: Path, model: Path) -> None:
    (folder / "bare.yaml").write_text("name: bare\ndimensions:\n  - {name: d, range: [0, 1], question: q}\n")
    judge = f"name: strict\nmodel: hf:{model}\ndtype: float32\nmethod: statements\nrubric: bare.yaml\n"  # no statements
    (folder / "strict.yaml").write_text(judge)
    reward = "{measure: judged}\njudge: strict.yaml"
    text = FILE.replace("{measure: lexical, pattern: '[a-z]'}", reward).replace("clone: {", "clone: null #")
    (folder / "loop.yaml").write_text(text)
    with pytest.raises(InputError, match="judge 'strict' scored none of the 8 episodes"):
        call()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("partners: [plain.yaml]", "partners: [nobody]", "no agent 'nobody'"),
        ("test: [lamp.yaml, door.yaml]", "test: [lamp.yaml, hat.yaml]", "1 families are in both train and test (hat)"),
        ("alpha: 2", "alfa: 2", "loop.yaml:10:"),
        ("alpha: 2", "alpha: []", "an empty list leaves nothing to run"),
        ("alpha: 2", "alpha: [1, -1]", "alpha"),
        ("pattern: '[a-z]'", "pattern: '('", "not a regular expression"),
        (
            "{measure: lexical, pattern: '[a-z]'}",
            "{measure: judged}\njudge: smol-statments",
            "did you mean 'smol-statements'?",
        ),
        ("evaluate: {quality: 0}", "evaluate: {arms: [base]}", "a comparison needs two arms"),
        ("name: tiny", "", "name"),
        ("name: tiny", "name: tiny\nrounds: 2", "random directions are the same in every round"),
        ("name: tiny", "name: tiny\ncollect: {keep: 0.5}", "only rounds of ways have a use for them"),
        ("clone: {steps", "latent: {size: 2}\nclone: null # {steps", "made around a clone's prefix"),
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
