"""Ways of replying by what they brought, worked out by hand, and the command that keeps the
best."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agents.steering.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from simworld.cli.train.ways import ways
from simworld.core.errors import InputError
from simworld.training.rl.ways_of_replying import WayRanking, keep_best_ways, rank_ways
from tests.factories.steered_runs import new_store, play, scenario, step
from tests.factories.transitions import directions, episodes
from tests.simworld.training.rl.test_train_planner import start

ONE, OTHER = (1.0, 1.0), (1.0, -1.0)


def test_a_way_kept_for_an_episode_is_worth_what_the_seat_got() -> None:
    made = episodes(
        [[[0.0]] * 2] * 4,
        [[ONE] * 2, [OTHER] * 2, [ONE] * 2, [OTHER] * 2],
        [[0.5, 0.5], [0.0, -1.0], [1.0, 0.0], [-0.5, -0.5]],
        families=["a", "a", "b", "b"],
    )
    found = rank_ways(made)
    assert not found.by_act
    best, worst = found.ways
    assert (best.action.tolist(), best.reward.mean, best.reward.n, best.reward.families) == (
        [1, 1],
        1.0,
        2,
        2,
    )
    assert (worst.action.tolist(), worst.reward.mean) == ([1, -1], -1.0)
    assert made.actions[best.row].tolist() == [1, 1]


def test_a_way_for_a_turn_is_worth_its_part_as_often_as_there_are_parts() -> None:
    found = rank_ways(episodes([[[0.0]] * 2], [[ONE, OTHER]], [[0.5, -0.25]]))
    assert found.by_act
    assert [way.reward.mean for way in found.ways] == [1.0, -0.5]


def test_episodes_that_were_left_out_do_not_matter() -> None:
    made = episodes(
        [[[0.0]] * 2] * 3, [[ONE] * 2, [OTHER] * 2, [ONE] * 2], [[9, 9], [0, 1], [1, 1]]
    )
    found = rank_ways(made.select(np.arange(2, 6)))
    assert [(way.reward.mean, way.reward.n) for way in found.ways] == [(2.0, 1), (1.0, 1)]


@pytest.mark.parametrize("count", [1, 300])
def test_one_action_or_any_number_of_them_are_no_ways(count: int) -> None:
    actions = directions(count, 2, np.random.default_rng(0)).tolist()
    made = episodes([[[0.0]]] * count, [[action] for action in actions], [[0.0]] * count)
    with pytest.raises(
        InputError, match=f"{count} different actions in {count} acts; expected 2 to 256"
    ):
        rank_ways(made)


def latent() -> Checkpoint:
    parent = start(actor=False, d_action=2)
    return replace(parent, info=parent.info.model_copy(update={"upmap": "latent"}))


def tried(*ways: tuple[float, ...]) -> WayRanking:
    """Ways in this order, all but the last worth the same and a little more than that one."""
    return rank_ways(
        episodes(
            [[[0.0]]] * len(ways),
            [[way] for way in ways],
            [[1.0]] * (len(ways) - 1) + [[0.0]],
            families=["a"] * len(ways),
        )
    )


def test_kept_ways_have_the_shares_that_are_asked_for() -> None:
    made = keep_best_ways(
        latent(), tried(ONE, OTHER), count=1, cosines=[0.6, 0.0], keep_neutral=True
    )
    assert made.ways is not None
    np.testing.assert_allclose(
        made.ways.numpy() / 2**0.5, np.array([[1, 0], [0.6, 0.8], [0, 1]]), atol=1e-6
    )
    assert made.info.ways == 3


def test_the_neutral_action_is_no_way() -> None:
    both = tried((2**0.5, 0.0), ONE)  # the neutral one was rewarded more
    made = keep_best_ways(latent(), both, count=1, cosines=[], keep_neutral=False)
    assert made.ways is not None
    assert made.ways.tolist() == [[1, 1]]


def test_only_a_latent_map_has_a_neutral_action() -> None:
    with pytest.raises(
        InputError, match="has no latent up-mapping; make one with `simworld train latent`"
    ):
        keep_best_ways(
            start(actor=False, d_action=2),
            tried(ONE, OTHER),
            count=1,
            cosines=[],
            keep_neutral=True,
        )
    with pytest.raises(InputError, match=r"the ways have 3 numbers, actions of planner .* 2"):
        keep_best_ways(
            latent(), tried((1, 1, 1), (1, 1, -1)), count=1, cosines=[], keep_neutral=False
        )


def command(folder: Path, *more: str) -> Result:
    given = [
        "--db",
        f"sqlite:///{folder / 'world.db'}",
        "--datasets",
        str(folder / "sets"),
        "--lexical",
        "please",
    ]
    return CliRunner().invoke(ways, [*given, *more], catch_exceptions=False)


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """Eight episodes of four families: who speaks one way says please, who speaks the other does
    not."""
    with new_store(tmp_path) as store:
        parent = latent()
        for number in range(8):
            action, line = ((ONE, "please do"), (OTHER, "Give it."))[number // 4]
            plans = {turn: step(turn, action=action, planner=parent.id) for turn in (0, 2)}
            play(
                store,
                scenario(f"thing {number % 4}"),
                [line, "no", line, "yes"],
                repeat=number,
                plans=plans,
            )
    save_checkpoint(tmp_path / "latent", parent)
    return tmp_path


def test_the_command_shows_ways_with_an_utterance_and_keeps_the_best(played: Path) -> None:
    result = command(
        played,
        "--of",
        str(played / "latent"),
        "--keep",
        "1",
        "--out",
        str(played / "best"),
        "--json",
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["counted"] == "seats"
    assert [(way["utterance"], way["mean"], way["n"]) for way in told["ways"]] == [
        ("please do", 0.5, 4),
        ("Give it.", -0.5, 4),
    ]
    made = load_checkpoint(played / "best")
    assert made.id == told["id"]
    assert made.ways is not None
    assert made.ways.tolist() == [[1, 1]]
    shown = command(played).stdout
    assert "between ways 0.7071" in shown
    assert "please do" in shown


def test_a_map_that_the_data_were_not_collected_with_is_refused(played: Path) -> None:
    save_checkpoint(played / "other", start(actor=False, d_action=2))
    with pytest.raises(
        InputError, match=r"other: is planner p2-.*; the data were collected with p2-"
    ):
        command(played, "--of", str(played / "other"), "--out", str(played / "best"))


def test_half_an_order_is_refused(played: Path) -> None:
    with pytest.raises(InputError, match="--out and --of: give both"):
        command(played, "--out", str(played / "best"))
    with pytest.raises(InputError, match="say what a checkpoint knows; give --out and --of too"):
        command(played, "--keep", "2")
