"""What planners do in stored states, by the command and after a training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from agents.steering.checkpoint import ActorInfo, Checkpoint, load_checkpoint, save_checkpoint
from agents.steering.planner import Actor
from simworld.cli.train.explain import explain
from simworld.cli.train.td3bc import td3bc
from simworld.core.episode import PlanStep
from simworld.core.errors import InputError
from store import open_store
from tests.factories.steered_runs import new_store, play, scenario
from tests.simworld.training.rl.test_train_planner import start

RULES = [{"when": {"partner_asks": True}, "measure": "lexical", "pattern": "x", "mean": 0.5,
          "deviation": 0.5}]  # fmt: skip
RIGHT, UP = (2**0.5, 0.0), (0.0, 2**0.5)


def planner(**data: Any) -> Checkpoint:
    """Acts along the first two numbers of a state, and knows two ways."""
    bare = start(actor=False, d_action=2)
    actor = Actor(3, 2, hidden=(), projection="sphere")
    weight = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    actor.load_state_dict({"net.0.weight": weight, "net.0.bias": torch.zeros(2)})
    info = bare.info.model_copy(
        update={
            "actor": ActorInfo(hidden=(), projection="sphere"),
            "ways": 2,
            "way_words": ("thanks", "asks"),
            "data": data,
        }
    )
    ways = torch.tensor([RIGHT, UP])
    mean, std = torch.zeros(3), torch.ones(3)
    return replace(bare, info=info, actor=actor, ways=ways, mean=mean, std=std)


def plan(state: tuple[float, ...], action: tuple[float, float], encoder: str = "e1") -> PlanStep:
    return PlanStep(
        state=np.array(state, np.float32),
        action=np.array(action, np.float32),
        encoder_id=encoder,
        planner_id="p1",
        noisy=True,
    )


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """Six episodes of three families. The seller hears a question before its second turn in every
    second one, and there its state is (1, 0, 0); else (0, 1, 0). What it did, rewarded where it
    said please, was one of two ways."""
    with new_store(tmp_path) as store:
        for number in range(6):
            asked = number % 2 == 0
            first = plan((0, 1, 0), UP if asked else RIGHT)
            second = plan((1, 0, 0) if asked else (0, 1, 0), RIGHT if asked else UP)
            lines = ["Go on.", "Why?" if asked else "No.", "please" if asked else "Hm.", "Yes."]
            scene = scenario(f"thing {number % 3}")
            play(store, scene, lines, repeat=number, plans={0: first, 2: second})
        other = plan((1, 2, 3, 4), RIGHT, encoder="e2")
        play(store, scenario("lamp"), ["Hm.", "No."], run="other", plans={0: other})
    return tmp_path


def run(folder: Path, *args: str) -> dict[str, Any]:
    given = [*args, "--db", f"sqlite:///{folder / 'world.db'}", "--json"]
    result = CliRunner().invoke(explain, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_rules_say_which_situations_there_are(played: Path) -> None:
    made = planner(query={"runs": ["first", "gone"], "reward": {"rules": RULES}})
    folder = str(save_checkpoint(played / "made", made))
    told = run(played, folder)  # in the run that it learned from
    assert told["planner"] == made.id
    assert told["ways"] == ["asks", "thanks"]
    assert [(row["situation"], row["n"], row["counts"]) for row in told["rows"]] == [
        ("partner asks", 3, [0, 3]),
        ("otherwise", 9, [9, 0]),
    ]
    assert (told["n"], told["by_situation"], told["largest_share"]) == (12, 1, 0.75)
    assert run(played, folder, "--run", "first") == told
    shown = CliRunner().invoke(explain, [folder, "--db", f"sqlite:///{played / 'world.db'}"])
    assert "partner asks" in shown.stdout
    assert "B  thanks" in shown.stdout
    assert "hangs on the dialogue" in shown.stdout


def test_a_constant_is_told_as_one_in_the_usual_situations(played: Path) -> None:
    made = planner()
    constant = replace(
        made,
        info=made.info.model_copy(update={"actor": None, "constant": True}),
        actor=None,
        constant=torch.tensor(RIGHT),
    )
    told = run(played, str(save_checkpoint(played / "made", constant)), "--run", "first")
    assert told["nearly_constant"]
    assert (told["ways"], told["counts"]) == (["thanks"], [12])
    # 20 turns: both of the seller's are in the first third
    assert [(row["situation"], row["n"]) for row in told["rows"]] == [
        ("first third, partner asks", 3),
        ("first third, partner states", 3),
        ("first third, nothing heard", 6),
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--run", "other"], "no states of encoder e1 in these runs; there are some of e2"),
        (["--run", "first", "--data", "x"], "--run and --data: give one of them"),
        ([], "has no run that planner p2-.* learned from; say with --run or --data"),
        (["--run", "firts"], "firts"),
        (["--data", "none"], "none"),
    ],
)
def test_where_there_is_nothing_to_tell(played: Path, args: list[str], message: str) -> None:
    folder = str(save_checkpoint(played / "made", planner(query={"runs": ["gone"]})))
    with pytest.raises(InputError, match=message):
        run(played, folder, *args)


def test_an_upmapping_decides_nothing(played: Path) -> None:
    folder = str(save_checkpoint(played / "bare", start(actor=False, d_action=2)))
    with pytest.raises(InputError, match="an up-mapping alone"):
        run(played, folder, "--run", "first")
    with pytest.raises(InputError, match="agent 'smol-script' has no planner"):
        run(played, "smol-script")
    with pytest.raises(InputError, match="'nobody' is neither the folder of a checkpoint nor"):
        run(played, "nobody")


def test_a_training_records_what_its_planner_does(played: Path) -> None:
    clone = save_checkpoint(played / "clone", planner())
    url = f"sqlite:///{played / 'world.db'}"
    given = ["--run", "first", "--lexical", "please", "--db", url, "--clone", str(clone)]
    given += [
        "--learner",
        "bc",
        "--steps",
        "2",
        "--every",
        "1",
        "--fqe-steps",
        "2",
        "--batch-size",
        "4",
    ]
    given += ["--datasets", str(played / "sets"), "--out", str(played / "out")]
    result = CliRunner().invoke(td3bc, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with open_store(url) as store:
        (training,) = store.training_runs()
    policy = training.metrics["policy"]
    assert (policy["n"], sum(policy["counts"])) == (12, 12)
    assert policy["sentence"] in result.stdout
    # each way was tried six times: these are words from the data now
    words = load_checkpoint(played / "out").info.way_words
    assert all("“" in text for text in words)
    (dataset,) = (played / "sets").iterdir()
    told = run(played, str(played / "out"), "--data", str(dataset))
    assert {name: told[name] for name in policy} == policy
    made = planner()
    encoder = made.info.encoder.model_copy(update={"id": "e2"})
    other = replace(made, info=made.info.model_copy(update={"encoder": encoder}))
    folder = str(save_checkpoint(played / "other", other))
    with pytest.raises(InputError, match=r"made by encoder e1; planner .* reads those of e2"):
        run(played, folder, "--data", str(dataset))
