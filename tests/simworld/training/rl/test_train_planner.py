"""From stored episodes to a planner's checkpoint, by the function and by the command."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from agents.steering.checkpoint import (
    ActorInfo,
    Checkpoint,
    CheckpointInfo,
    EncoderInfo,
    load_checkpoint,
    save_checkpoint,
)
from agents.steering.state_encoders import lm_encoder_id
from agents.steering.upmap import UpMap
from simworld.cli.train.td3bc import LEARNERS, td3bc
from simworld.core.errors import InputError, MissingExtra
from simworld.training.actor_init import new_actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.best_constant import constant_checkpoint
from simworld.training.rl.fqe import FQESettings
from simworld.training.rl.offline_training import LoopSettings
from simworld.training.rl.planner_learners import LEARNERS as ALL_LEARNERS
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings
from simworld.training.rl.train_planner import TrainingData, train_planner
from store import open_store
from tests.factories.steered_runs import new_store, play, scenario, step
from tests.factories.transitions import bandit, directions

LOOP = LoopSettings(steps=6, batch_size=8, eval_interval=3, fqe=FQESettings(steps=2, hidden=(4,)))
SETTINGS = PlannerSettings(hidden=(6,), td3bc=TD3BCSettings(critic_hidden=(4,)), loop=LOOP)
DATA = TrainingData(
    transitions=bandit(), encoder_id="e1", provenance={"query": {}, "rows": 120, "sha256": "abc"}
)


def start(*, actor: bool, d_action: int = 4) -> Checkpoint:
    """An up-mapping for states of three numbers, with a clone's actor where wanted."""
    info = CheckpointInfo(
        lm_id="lm", lm_spec="hf:tiny", dtype="float32", width=5, position="end",
        encoder=EncoderInfo(kind="text", id="e1", model="hf:small"),
        d_state=3, d_action=d_action, tokens=2, act_norm=1.0, embedding_norm=3.0, upmap="pca",
        actor=ActorInfo(hidden=(7,), projection="sphere") if actor else None,
    )  # fmt: skip
    weight = torch.arange(d_action * 10, dtype=torch.float32).reshape(d_action, 10)
    return Checkpoint(
        info=info,
        upmap=UpMap(weight, tokens=2, act_norm=1.0, embedding_norm=3.0),
        actor=new_actor(3, d_action, hidden=(7,), projection="sphere", seed=5) if actor else None,
        mean=torch.tensor([1.0, 2.0, 3.0]),
        std=torch.tensor([1.0, 2.0, 0.5]),
    )


def test_a_planner_carries_the_number_format_of_its_data() -> None:
    clone = start(actor=True)
    assert clone.info.dtype == "float32"
    assert train_planner(DATA, clone, SETTINGS).info.dtype == "float32"
    planner = train_planner(replace(DATA, dtype="bfloat16"), clone, SETTINGS)
    assert planner.info.dtype == "bfloat16"
    fixed = constant_checkpoint(clone, DATA.transitions, by_act=True, dtype="bfloat16")
    assert fixed.info.dtype == "bfloat16"


def test_training_starts_as_the_clone_and_keeps_its_scale() -> None:
    clone = start(actor=True)
    still = SETTINGS.model_copy(update={"td3bc": TD3BCSettings(actor_lr=1e-12, critic_hidden=(4,))})
    planner = train_planner(DATA, clone, still)
    states = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(planner.choose_actions(states), clone.choose_actions(states))
    moved = train_planner(DATA, clone, SETTINGS)
    assert not torch.equal(moved.choose_actions(states), clone.choose_actions(states))
    assert torch.equal(moved.mean, clone.mean)
    # the clone itself is as it was
    assert torch.equal(start(actor=True).choose_actions(states), clone.choose_actions(states))


def test_the_checkpoint_says_what_it_was_made_from(tmp_path: Path) -> None:
    clone = start(actor=True)
    planner = load_checkpoint(
        save_checkpoint(tmp_path / "planner", train_planner(DATA, clone, SETTINGS))
    )
    assert planner.info.parent == clone.id
    assert planner.info.data["sha256"] == "abc"
    assert planner.info.data["rows"] == 120
    assert planner.info.data["settings"]["td3bc"]["alpha"] == SETTINGS.td3bc.alpha
    assert planner.info.metrics["steps"] == 6
    assert {"held_value", "held_return", "q_bias", "bc_distance"} <= planner.info.metrics.keys()
    assert torch.equal(planner.upmap.weight, clone.upmap.weight)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_new_actor_starts_with_the_scale_of_the_data(fresh: bool) -> None:
    settings = SETTINGS.model_copy(update={"fresh": fresh, "learner": "bc"})
    planner = train_planner(DATA, start(actor=fresh), settings)
    assert planner.actor is not None
    assert planner.actor.hidden == (6,)
    assert planner.mean.abs().max() < 0.5  # the data are standard normal, the clone's mean is not
    assert "q_bias" not in planner.info.metrics


def test_going_on_with_other_settings_is_refused_and_longer_is_not(tmp_path: Path) -> None:
    def trained(**changed: int) -> Checkpoint:
        loop = LOOP.model_copy(update=changed)
        settings = SETTINGS.model_copy(update={"loop": loop})
        return train_planner(DATA, start(actor=True), settings, folder=tmp_path)

    trained()
    with pytest.raises(InputError, match="another batch_size, every, seed; train into another"):
        trained(batch_size=9, eval_interval=2, seed=9)
    other = replace(DATA, provenance={"sha256": "other"})
    with pytest.raises(InputError, match="training with another clone, data; train into another"):
        train_planner(other, start(actor=False), SETTINGS, folder=tmp_path)
    assert trained(steps=9).info.metrics["steps"] == 9


def test_data_of_another_checkpoint_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"states of 3 and actions of 4 numbers; checkpoint p2-.* takes 3 and 2;"
    ):
        train_planner(DATA, start(actor=True, d_action=2), SETTINGS)
    with pytest.raises(InputError, match=r"made by encoder e2, those of checkpoint p2-.* by e1;"):
        train_planner(replace(DATA, encoder_id="e2"), start(actor=True), SETTINGS)


def command(tmp_path: Path, *more: str) -> Result:
    given = [
        "--clone",
        tmp_path / "clone",
        "--out",
        tmp_path / "out",
        "--datasets",
        tmp_path / "sets",
    ]
    reward = ["--db", f"sqlite:///{tmp_path / 'world.db'}", "--lexical", "please"]
    small = ("--steps", "6", "--every", "3", "--batch-size", "8", "--fqe-steps", "2", *more)
    return CliRunner().invoke(td3bc, [*map(str, given), *reward, *small], catch_exceptions=False)


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """Twelve episodes of four families, and an up-mapping, in a folder."""
    actions = directions(12, 2, np.random.default_rng(0)).tolist()
    with new_store(tmp_path) as store:
        for number in range(12):
            plans = {turn: step(turn, action=actions[(number + turn) % 12]) for turn in (0, 2)}
            lines = ["please" if number % 2 else "give", "no", "please", "yes"]
            play(store, scenario(f"thing {number % 4}"), lines, repeat=number, plans=plans)
    save_checkpoint(tmp_path / "clone", start(actor=True, d_action=2))
    return tmp_path


def test_the_command_trains_from_the_store_and_logs_to_it(played: Path) -> None:
    result = command(played, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    planner = load_checkpoint(played / "out")
    assert told["id"] == planner.id
    assert planner.info.data["rows"] == 24
    assert planner.info.data["query"]["reward"]["pattern"] == "please"
    assert not (played / ".out-training").exists()
    with open_store(f"sqlite:///{played / 'world.db'}") as store:
        (training,) = store.training_runs()
        steps = store.training_steps("out", metric="critic_loss")
    assert (training.kind, training.status, training.checkpoint_id) == (
        "td3bc",
        "finished",
        planner.id,
    )
    assert training.data["sha256"] == planner.info.data["sha256"]
    assert [found.step for found in steps] == [3, 6]


def test_the_same_command_gives_the_same_planner(played: Path) -> None:
    command(played)
    first = load_checkpoint(played / "out").id
    result = command(played)
    assert result.exit_code == 0
    assert load_checkpoint(played / "out").id == first
    assert first in result.stdout


def test_the_spelling_of_the_database_is_no_part_of_a_planner(
    played: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (played / "elsewhere").mkdir()
    shutil.copy(played / "world.db", played / "elsewhere" / "copy.db")
    monkeypatch.chdir(played / "elsewhere")
    ids = set()
    for spelled in (
        "copy.db",
        "../world.db",
        str(played / "world.db"),
        f"sqlite:///{played}/elsewhere/../world.db",
    ):
        assert command(played, "--db", spelled).exit_code == 0
        planner = load_checkpoint(played / "out")
        assert "/" not in planner.info.data["source"]
        ids.add(planner.id)
    assert len(ids) == 1


def test_rates_and_widths_can_be_given(played: Path) -> None:
    assert (
        command(
            played, "--actor-rate", "0.01", "--critic-rate", "0.02", "--critic-hidden", "linear"
        ).exit_code
        == 0
    )
    settings = load_checkpoint(played / "out").info.data["settings"]["td3bc"]
    assert (settings["actor_rate"], settings["critic_rate"], settings["critic_hidden"]) == (
        0.01,
        0.02,
        [],
    )
    assert command(played, "--critic-hidden", "4,3", "--name", "other").exit_code == 0
    assert load_checkpoint(played / "out").info.data["settings"]["td3bc"]["critic_hidden"] == [4, 3]
    refused = command(played, "--critic-hidden", "4,x")
    assert refused.exit_code == 2
    assert (
        "'4,x' is not a list of widths; expected numbers above 0 as in 256,256, or linear"
        in refused.output
    )


def test_a_training_that_cannot_be_is_marked_as_failed(played: Path) -> None:
    with pytest.raises(InputError, match="a batch of 500 is more than the"):
        command(played, "--batch-size", "500")
    with open_store(f"sqlite:///{played / 'world.db'}") as store:
        assert [training.status for training in store.training_runs()] == ["failed"]
    assert command(played).exit_code == 0  # corrected, under the same name


def test_an_interrupted_command_goes_on(played: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(played)
    whole = load_checkpoint(played / "out").id
    update, updates = TD3BC.update, 0

    def stopped(learner: TD3BC, batch: TransitionBatch) -> Mapping[str, torch.Tensor]:
        nonlocal updates
        updates += 1
        if updates == 5:  # two behind the state that was saved
            raise KeyboardInterrupt
        return update(learner, batch)

    monkeypatch.setattr(TD3BC, "update", stopped)
    first = command(played, "--out", str(played / "halves"))
    assert first.exit_code == 130
    assert "the same command goes on from the last evaluation" in first.stderr
    assert (played / ".halves-training").is_dir()
    assert command(played, "--out", str(played / "halves")).exit_code == 0
    assert updates == 5 + 3
    assert load_checkpoint(played / "halves").id == whole
    with open_store(f"sqlite:///{played / 'world.db'}") as store:
        assert [training.status for training in store.training_runs()] == ["finished", "finished"]


def test_rates_that_are_too_high_end_in_one_line(played: Path) -> None:
    with pytest.raises(
        InputError,
        match=(
            r"after 3 updates .*the actor's weights are no finite numbers; lower the learning rates"
        ),
    ):
        command(played, "--actor-rate", "1e38")


def test_an_up_mapping_takes_the_states_of_its_model_whatever_the_prompt() -> None:
    states = replace(DATA, encoder_id=lm_encoder_id("lm", "some prompt"))
    bare = as_of_a_model(start(actor=False))
    planner = train_planner(states, bare, SETTINGS)
    assert planner.info.encoder.id == states.encoder_id
    assert planner.info.parent == bare.id
    with pytest.raises(InputError, match="states were made by encoder lm-"):
        train_planner(states, as_of_a_model(start(actor=True)), SETTINGS)
    with pytest.raises(InputError, match="states were made by encoder e1"):
        train_planner(DATA, bare, SETTINGS)


def as_of_a_model(checkpoint: Checkpoint) -> Checkpoint:
    """Of a model of width 2: five tokens in the same numbers."""
    encoder = EncoderInfo(kind="lm", id=lm_encoder_id("lm", ""))
    info = checkpoint.info.model_copy(update={"encoder": encoder, "width": 2, "tokens": 5})
    return replace(
        checkpoint,
        info=info,
        upmap=UpMap(checkpoint.upmap.weight, tokens=5, act_norm=1.0, embedding_norm=3.0),
    )


def test_a_finished_dataset_needs_no_store(played: Path) -> None:
    command(played)
    (dataset,) = (played / "sets").iterdir()
    given = ["--data", dataset, "--clone", played / "clone", "--out", played / "second"]
    result = CliRunner().invoke(
        td3bc,
        [
            *map(str, given),
            "--learner",
            "bc",
            "--steps",
            "3",
            "--batch-size",
            "8",
            "--fqe-steps",
            "2",
        ],
        env={"SIMWORLD_DB": None},
    )
    assert result.exit_code == 0, result.output
    assert load_checkpoint(played / "second").info.data["settings"]["learner"] == "bc"


def test_ridge_by_the_command_and_options_that_a_learner_has_not(played: Path) -> None:
    command(played)
    (dataset,) = (played / "sets").iterdir()
    given = ["--data", dataset, "--clone", played / "clone", "--out", played / "regression"]
    ridge = [*map(str, given), "--learner", "ridge"]
    done = CliRunner().invoke(td3bc, [*ridge, "--gamma", ".5"], env={"SIMWORLD_DB": None})
    assert done.exit_code == 0, done.output
    assert "r2_without_product" in done.stdout
    planner = load_checkpoint(played / "regression")
    assert planner.info.data["settings"]["ridge"] == {"gamma": 0.5}
    refused = CliRunner().invoke(
        td3bc, [*ridge, "--steps", "3", "--alpha", "2", "--actor-rate", "1"]
    )
    assert isinstance(refused.exception, InputError)
    assert str(refused.exception) == (
        "the learner ridge has no --steps (of td3bc, rebrac, iql, awac and bc), --alpha (of td3bc)"
        " and --actor-rate (of td3bc, rebrac, iql, awac and bc); leave that out"
    )
    bc = CliRunner().invoke(td3bc, [*map(str, given), "--learner", "bc", "--critic-rate", "1"])
    assert str(bc.exception) == (
        "the learner bc has no --critic-rate (of td3bc, rebrac, iql and awac); leave that out"
    )


def test_every_learner_by_the_command(played: Path) -> None:
    assert LEARNERS == ALL_LEARNERS
    command(played)
    (dataset,) = (played / "sets").iterdir()
    given = ["--data", dataset, "--clone", played / "clone", "--out", played / "other"]
    small = ("--steps", "3", "--batch-size", "8", "--fqe-steps", "2", "--critic-hidden", "4")
    own = {
        "iql": (*small, "--beta", "2", "--expectile", "0.8"),
        "awac": (*small, "--beta", "2"),
        "rebrac": (*small, "--beta1", "0.5", "--beta2", "0"),
    }
    for learner, options in own.items():
        arguments = [*map(str, given), "--learner", learner, *options]
        done = CliRunner().invoke(td3bc, arguments, env={"SIMWORLD_DB": None})
        assert done.exit_code == 0, done.output
        planner = load_checkpoint(played / "other")
        assert planner.info.data["settings"]["learner"] == learner
    none = CliRunner().invoke(td3bc, [*map(str, given), "--learner", "constant"])
    assert "within families rewards do not change with actions" in str(none.exception)
    refused = CliRunner().invoke(td3bc, [*map(str, given), "--learner", "iql", "--alpha", "2"])
    assert str(refused.exception) == "the learner iql has no --alpha (of td3bc); leave that out"
    refused = CliRunner().invoke(td3bc, [*map(str, given), "--learner", "constant", "--seed", "2"])
    assert "constant has no --seed (of td3bc, rebrac, iql, awac, bc and ridge)" in str(
        refused.exception
    )


def test_the_command_stops_by_all_families_and_says_where_a_constant_is_as_good(
    tmp_path: Path,
) -> None:
    """The one of two ways says please, in every state."""
    ways = {"please": (1.0, 1.0), "now": (1.0, -1.0)}
    with new_store(tmp_path) as store:
        for number in range(12):
            words = ["please", "now"] if number % 3 else ["now", "please"]
            plans = {2 * turn: step(2 * turn, action=ways[words[turn]]) for turn in range(2)}
            lines = [words[0], "no", words[1], "yes"]
            play(store, scenario(f"thing {number % 4}"), lines, repeat=number, plans=plans)
    save_checkpoint(tmp_path / "clone", start(actor=True, d_action=2))
    stopping = ("--stopping", "cross_fitted", "--folds", "2")
    trained = command(tmp_path, *stopping)
    assert trained.exit_code == 0, trained.output
    info = load_checkpoint(tmp_path / "out").info
    loop = info.data["settings"]["loop"]
    assert (loop["stopping"], loop["folds"]) == ("cross_fitted", 2)
    assert {"value", "constant_value", "gain", "gain_se"} <= info.metrics.keys()

    (dataset,) = (tmp_path / "sets").iterdir()
    given = ["--data", dataset, "--clone", tmp_path / "clone", "--out", tmp_path / "regression"]
    regression = [*map(str, given), "--learner", "ridge", *stopping]
    result = CliRunner().invoke(td3bc, regression, env={"SIMWORLD_DB": None})
    assert result.exit_code == 0, result.output
    assert "constant: nothing that was learned gains" in result.stdout
    planner = load_checkpoint(tmp_path / "regression")
    assert planner.constant is not None
    torch.testing.assert_close(planner.constant, torch.tensor([1.0, 1.0]), atol=0.2, rtol=0)
    with pytest.raises(InputError, match=r"^folds are of `stopping: cross_fitted`; say that"):
        command(tmp_path, "--folds", "2")


def test_metrics_go_to_tensorboard_too(played: Path) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    assert command(played, "--tensorboard", str(played / "board")).exit_code == 0
    board = event_accumulator.EventAccumulator(str(played / "board"))
    board.Reload()
    with open_store(f"sqlite:///{played / 'world.db'}") as store:
        steps = store.training_steps("out")
    assert set(board.Tags()["scalars"]) == {step.metric for step in steps}
    for name in ("critic_loss", "held_value"):
        found = [(event.step, event.value) for event in board.Scalars(name)]
        assert found == [
            (s.step, pytest.approx(s.value, rel=1e-6)) for s in steps if s.metric == name
        ]


def test_without_tensorboard_one_line_says_how_to_get_it(
    played: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtra, match=r"pip install 'simworld\[tensorboard\]'"):
        command(played, "--tensorboard", str(played / "board"))
