"""From stored episodes to transitions: every number worked out by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simworld.core.errors import InputError
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_folder import load_meta, load_scores, load_transitions
from simworld.training.data.dataset_query import DATASET_FORMAT, DataQuery, RewardSettings
from simworld.training.data.transitions import Transitions
from simworld.training.rl.train_planner import load_training_data
from store import Attribution, Store
from tests.factories.steered_runs import (
    NOON,
    RUBRIC,
    judge,
    judge_in_vain,
    new_store,
    play,
    recorded,
    scenario,
    step,
)

LAMP, CHAIR = scenario("lamp"), scenario("chair")
# the seller speaks in turns 0, 2 and 4
FIVE = ("Hello.", "Hi.", "40 euros please.", "No.", "Then 30 euros?")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as opened:
        yield opened


def query(**given: Any) -> DataQuery:
    return DataQuery.model_validate(given)


def made(store: Store, folder: Path, **given: Any) -> Transitions:
    return load_transitions(build_dataset(store, query(**given), folder / "sets"))


def by_seat(data: Transitions, values: Any) -> dict[str, list[float]]:
    """Episode/seat → its values, in order."""
    return {
        name: [float(v) for v in values[data.episode_index == i]]
        for i, name in enumerate(data.episode_names)
    }


def test_transitions_of_one_seat(store: Store, tmp_path: Path) -> None:
    first = play(store, LAMP, FIVE)
    second = play(store, LAMP, FIVE[:1], repeat=1)
    judge(store, first, 1.0, 0.0)  # (3 · 1 + 1 · 0) / 4 = .75
    judge(store, second, 0.5, 0.5)  # .5; the family's mean is .625
    data = made(store, tmp_path)
    assert by_seat(data, data.rewards) == {
        f"{first}/seller": [0, 0, 0.125],
        f"{second}/seller": [-0.125],
    }
    assert by_seat(data, data.terminals) == {f"{first}/seller": [0, 0, 1], f"{second}/seller": [1]}
    assert by_seat(data, data.turns) == {f"{first}/seller": [0, 2, 4], f"{second}/seller": [0]}
    rows = np.flatnonzero(data.episode_index == data.episode_names.index(f"{first}/seller"))
    batch = data.batch(rows)
    assert batch.states.tolist() == [[0, 1, 2], [20, 21, 22], [40, 41, 42]]
    assert batch.next_states.tolist() == [[20, 21, 22], [40, 41, 42], [40, 41, 42]]
    assert batch.actions.tolist() == [[1, -1], [1, 1], [-1, 1]]
    assert data.family_names == ("lamp",)


def test_the_number_format_of_most_acts_is_known(store: Store, tmp_path: Path) -> None:
    for repeat, (lines, dtype) in enumerate(
        ((FIVE, "bfloat16"), (FIVE[:3], "float32"), (FIVE[:1], ""))
    ):
        judge(store, play(store, LAMP, lines, repeat=repeat, dtype=dtype), 0.5)
    meta = load_meta(build_dataset(store, query(), tmp_path))
    assert meta.dtypes == {"bfloat16": 3, "float32": 2}  # the seller's acts
    assert meta.dtype == "bfloat16"
    assert load_training_data(build_dataset(store, query(), tmp_path)).dtype == "bfloat16"
    # of a model that did not say
    old = build_dataset(store, query(since=NOON + timedelta(days=2)), tmp_path)
    assert (load_meta(old).dtypes, load_meta(old).dtype) == ({}, "")


def test_families_are_centred_apart_unless_told(store: Store, tmp_path: Path) -> None:
    scores = {}
    for scene, repeat, goal in ((LAMP, 0, 0.2), (LAMP, 1, 0.4), (CHAIR, 0, 0.9), (CHAIR, 1, 0.9)):
        scores[play(store, scene, FIVE[:1], repeat=repeat)] = goal
    for id_, goal in scores.items():
        judge(store, id_, goal)
    only_goal = {"weights": {"goal": 2}}
    data = made(store, tmp_path, reward=only_goal)
    assert sorted(data.rewards.tolist()) == pytest.approx([-0.1, 0, 0, 0.1])
    raw = made(store, tmp_path, reward={**only_goal, "centre": False})
    assert sorted(raw.rewards.tolist()) == pytest.approx([0.2, 0.4, 0.9, 0.9])


def test_samples_of_one_judge_are_averaged_and_their_noise_is_known(
    store: Store, tmp_path: Path
) -> None:
    id_ = play(store, LAMP, FIVE[:1])
    for sample, goal in enumerate((0.2, 0.6)):
        judge(store, id_, goal, goal, sample=sample)
    folder = build_dataset(store, query(reward={"centre": False}), tmp_path)
    assert load_transitions(folder).rewards.tolist() == pytest.approx([0.4])
    meta = load_meta(folder)
    assert meta.judge_sd == pytest.approx(0.08**0.5)
    assert meta.judge_repeats == 1


def test_a_mixture_of_judges_is_refused_unless_told(store: Store, tmp_path: Path) -> None:
    id_ = play(store, LAMP, FIVE[:1])
    judge(store, id_, 0.2, 0.2)
    judge(store, id_, 0.8, 0.8, judge_id="j1-b")  # another judge of the same name
    for several in ((), ("j1", "j1-b")):
        with pytest.raises(
            InputError, match=r"judged by several: j1 \(1 episode\); j1-b .* --judge"
        ):
            made(store, tmp_path, judges=several)
        both = made(store, tmp_path, judges=several, mix_judges=True, reward={"centre": False})
        assert both.rewards.tolist() == pytest.approx([0.5])
    for one, reward in (("j1-b", 0.8), ("j1", 0.2)):  # an id counts before a name
        assert made(
            store, tmp_path, judges=(one,), reward={"centre": False}
        ).rewards.tolist() == pytest.approx([reward])
    with pytest.raises(
        InputError, match="no judgement by 'j9' among these episodes; they were judged by j1"
    ):
        made(store, tmp_path, judges=("j1", "j9"))


def test_a_name_that_two_judges_have_is_refused(store: Store, tmp_path: Path) -> None:
    id_ = play(store, LAMP, FIVE[:1])
    judge(store, id_, 0.2, 0.2, judge_id="j2-b")
    store.add_judge("j2-c", "j2", RUBRIC)
    judge(store, id_, 0.8, 0.8, judge_id="j2-c")
    with pytest.raises(
        InputError, match=r"judged by several: j2-b \(1 episode\); j2-c .* by its id"
    ):
        made(store, tmp_path, judges=("j2",))


def test_failed_and_unscored_are_left_out_and_counted(store: Store, tmp_path: Path) -> None:
    kept = play(store, LAMP, FIVE)
    play(store, LAMP, FIVE, repeat=1, failed=True)
    play(store, LAMP, FIVE, repeat=2)
    judge_in_vain(store, play(store, LAMP, FIVE, repeat=3))
    judge(store, kept, 0.5)
    folder = build_dataset(store, query(), tmp_path)
    meta = load_meta(folder)
    assert (meta.rows, meta.failed, meta.unscored, meta.endings) == (3, 1, 2, {"turn_limit": 1})


def test_rewards_are_attributed_by_the_stored_weights(store: Store, tmp_path: Path) -> None:
    id_ = play(store, LAMP, FIVE)
    judge(store, id_, 0.8, 0.8)
    with pytest.raises(InputError, match="simworld judge attribute --method attributed makes them"):
        made(store, tmp_path, reward={"place": "attributed"})
    ((judgement, _, _),) = store.unattributed("j1", "attributed")
    weights = [
        Attribution(seat="seller", turn=turn, value=value)
        for turn, value in ((0, 1.0), (2, 3.0), (4, 0.0))
    ]
    store.add_attributions(judgement, "attributed", weights)
    data = made(store, tmp_path, reward={"place": "attributed", "centre": False})
    assert data.rewards.tolist() == pytest.approx([0.2, 0.6, 0.0])
    assert list(store.unattributed("j1", "attributed")) == []


def test_rewards_are_differences_of_judged_prefixes(store: Store, tmp_path: Path) -> None:
    id_ = play(store, LAMP, FIVE, plans={0: step(0), 4: step(4)})  # turn 2 was not steered
    judge(store, id_, 0.9, 0.5)  # .8
    ((judgement, _, _),) = store.unattributed("j1", "prefixes")
    said = {"goal": (0.1, 0.3, 0.9), "tone": (0.5, 0.5, 0.5)}
    store.add_attributions(
        judgement,
        "prefixes",
        [
            Attribution(seat="seller", turn=turn, value=value, dimension=name)
            for name, values in said.items()
            for turn, value in zip((0, 2, 4), values, strict=True)
        ],
    )
    data = made(store, tmp_path, reward={"place": "prefixes", "centre": False})
    # (3 · .3 + .5) / 4 before turn 4, then .8
    assert data.rewards.tolist() == pytest.approx([0.35, 0.45])


@pytest.mark.parametrize(
    ("place", "rewards"),
    [(None, [0, 1 / 3, 1 / 3]), ("end", [0, 0, 2 / 3]), ("uniform", [2 / 9] * 3)],
)
def test_a_pattern_needs_no_judge(
    store: Store, tmp_path: Path, place: str | None, rewards: list[float]
) -> None:
    play(store, LAMP, FIVE)
    reward = {"measure": "lexical", "pattern": r"\d+ euros", "place": place, "centre": False}
    assert made(store, tmp_path, reward=reward).rewards.tolist() == pytest.approx(rewards)


def test_a_pattern_that_never_ends_is_named(store: Store, tmp_path: Path) -> None:
    play(store, LAMP, ("a" * 5000 + "!",))
    with pytest.raises(InputError, match=r"reward.pattern: .* took longer than"):
        made(store, tmp_path, reward={"measure": "lexical", "pattern": r"(?:a|a)*(a+)+\1x?$"})


@pytest.mark.model
def test_likeness_to_a_text(store: Store, tmp_path: Path) -> None:
    play(
        store,
        LAMP,
        ("Thank you so much, you are very kind.", "x", "The train leaves at nine.", "x", ""),
    )
    reward = {"measure": "embedding", "text": "Thanks a lot, how nice of you!", "centre": False}
    thanks, train, nothing = (made(store, tmp_path, reward=reward).rewards * 3).tolist()
    assert thanks > 0.5 > 0.2 > train
    assert nothing == 0


def test_states_without_actions_are_for_cloning(store: Store, tmp_path: Path) -> None:
    play(store, LAMP, FIVE, plans={0: recorded(0), 1: recorded(1), 2: step(2)})
    data = made(store, tmp_path, states_only=True)
    # the buyer's too
    assert [len(values) for values in by_seat(data, data.rewards).values()] == [2, 1]
    assert data.actions.shape == (3, 0)
    steered = made(store, tmp_path, reward={"measure": "lexical", "pattern": "euros"})
    assert (len(steered), steered.states.tolist()) == (1, [[20, 21, 22]])


@pytest.mark.parametrize(
    ("given", "repeats"),
    [
        ({}, {0, 1, 2}),
        ({"runs": ["other"]}, {2}),
        ({"runs": ["first", "other"], "until": NOON + timedelta(days=1)}, {0}),
        ({"since": NOON + timedelta(days=1)}, {1, 2}),
        ({"agents": ["steered"]}, {0, 1, 2}),
        ({"agents": ["s1"], "scenarios": ["chair"]}, {1}),
        ({"families": ["lamp"]}, {0, 2}),
        ({"scenarios": [LAMP.id]}, {0, 2}),
        ({"planners": ["q"]}, {1}),
    ],
)
def test_a_query_restricts(
    store: Store, tmp_path: Path, given: dict[str, Any], repeats: set[int]
) -> None:
    ids = {
        play(store, LAMP, FIVE): 0,
        play(store, CHAIR, FIVE, repeat=1, plans={0: step(0, planner="q7")}): 1,
        play(store, LAMP, FIVE, repeat=2, run="other"): 2,
    }
    data = made(store, tmp_path, **given, reward={"measure": "lexical", "pattern": "euros"})
    assert {ids[name.split("/")[0]] for name in data.episode_names} == repeats


def test_nothing_is_spilled_twice_unless_something_changed(store: Store, tmp_path: Path) -> None:
    judge(store, play(store, LAMP, FIVE), 0.5)
    calls: list[int] = []
    first = build_dataset(
        store, query(), tmp_path, on_progress=lambda done, total, note: calls.append(total)
    )
    again = build_dataset(
        store, query(), tmp_path, on_progress=lambda done, total, note: calls.append(total)
    )
    assert first == again
    assert calls == [1]
    assert build_dataset(store, query(reward={"place": "uniform"}), tmp_path) != first
    judge(store, play(store, LAMP, FIVE, repeat=1), 0.5)
    more = build_dataset(store, query(), tmp_path)
    assert (load_meta(first).rows, load_meta(more).rows) == (3, 6)
    assert load_meta(first).sha256 != load_meta(more).sha256
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_more_episodes_than_are_read_at_a_time(store: Store, tmp_path: Path) -> None:
    lines = {
        play(store, LAMP, (f"{'x' * (repeat % 3)}.",), repeat=repeat): repeat
        for repeat in range(140)
    }
    data = made(store, tmp_path, reward={"measure": "lexical", "pattern": "x", "centre": False})
    assert [name.split("/")[0] for name in data.episode_names] == sorted(lines)
    assert data.rewards.tolist() == [float(repeat % 3 > 0) for _, repeat in sorted(lines.items())]


def test_equal_content_has_an_equal_hash(tmp_path: Path) -> None:
    hashes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with new_store(tmp_path / name) as store:
            judge(store, play(store, LAMP, FIVE), 0.5)
            hashes.append(load_meta(build_dataset(store, query(), tmp_path / name)).sha256)
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"runs": ["none"]}, "no run 'none' in this database; there are first"),
        ({"families": ["none"]}, "no family 'none' in this database; there are "),
        (
            {"until": "2000-01-01T00:00:00Z"},
            r"no episode fits the query \(until 2000-01-01[^)]*\); see `simworld episode list`",
        ),
        (
            {"agents": ["base"]},
            (
                "none of the 1 episode that fits the query has vectors that do; play with a steered"
                " agent"
            ),
        ),
        (
            {"encoders": ["x"]},
            "has vectors that do; --encoder and --planner take beginnings of ids",
        ),
        ({}, "none of these episodes has been judged; simworld judge run"),
    ],
)
def test_a_query_that_finds_nothing(
    store: Store, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    play(store, LAMP, FIVE)
    with pytest.raises(InputError, match=said) as caught:
        made(store, tmp_path, **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sets").exists() or not list((tmp_path / "sets").iterdir())


def test_an_empty_store_one_without_vectors_and_one_of_failures(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no episode fits the query; see"):
        made(store, tmp_path)
    play(store, LAMP, FIVE, failed=True)
    with pytest.raises(InputError, match="the one episode that fits the query failed"):
        made(store, tmp_path)
    play(store, LAMP, FIVE, repeat=1, plans={})
    with pytest.raises(InputError, match="none of the 1 episode that fits the query has vectors"):
        made(store, tmp_path)
    play(store, LAMP, FIVE, repeat=2, plans={0: recorded(0)})
    with pytest.raises(InputError, match="hold states but no actions"):
        made(store, tmp_path)


def test_vectors_that_do_not_fit_together_are_listed(store: Store, tmp_path: Path) -> None:
    play(store, LAMP, FIVE, plans={0: step(0), 2: step(2)})
    play(store, LAMP, FIVE, repeat=1, plans={0: step(0, encoder="e2", width=4)})
    with pytest.raises(InputError) as caught:
        made(store, tmp_path)
    assert "encoder e1 with states [3], actions [2] (2 acts); encoder e2 with states [4]" in str(
        caught.value
    )
    reward = {"measure": "lexical", "pattern": "x"}
    assert len(made(store, tmp_path, encoders=["e2"], reward=reward)) == 1


@pytest.mark.parametrize("what", ["state", "action"])
def test_a_number_that_is_none_names_its_episode(store: Store, tmp_path: Path, what: str) -> None:
    broken = step(0)
    vector = broken.state if what == "state" else broken.action
    assert vector is not None
    vector[1] = np.nan
    id_ = play(store, LAMP, FIVE, plans={0: broken})
    judge(store, id_, 0.5)
    with pytest.raises(InputError, match=f"episode {id_}/seller: a non-finite {what} "):
        made(store, tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reward": {"measure": "lexical"}}, "measure 'lexical' and only it needs 'pattern'"),
        ({"reward": {"text": "x"}}, "measure 'embedding' and only it needs 'text'"),
        (
            {"reward": {"measure": "lexical", "pattern": "("}},
            r"not a valid regular expression: missing \) at position 2",
        ),
        ({"reward": {"place": "utterance"}}, "place 'utterance' does not go with 'judged'"),
        ({"reward": {"weights": {"goal": float("nan")}}}, "finite numbers of at least 0"),
        ({"reward": {"weights": {"goal": 0}}}, "at least one weight is above 0"),
        ({"since": "2026-01-01T00:00:00"}, "timezone"),
        ({"rums": []}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        query(**given)


def test_an_unknown_dimension_is_named(store: Store, tmp_path: Path) -> None:
    judge(store, play(store, LAMP, FIVE), 0.5)
    with pytest.raises(InputError, match="knows no dimension gaol; it has goal, tone"):
        made(store, tmp_path, reward={"weights": {"gaol": 1}})


def test_a_damaged_dataset_is_refused(store: Store, tmp_path: Path) -> None:
    judge(store, play(store, LAMP, FIVE), 0.5)
    folder = build_dataset(store, query(), tmp_path)
    damage_each_file(folder)
    (folder / "states.npy").write_bytes((folder / "states.npy").read_bytes()[:-4])
    with pytest.raises(InputError, match="the dataset is damaged"):
        load_transitions(folder)
    meta = folder / "meta.json"
    meta.write_text(meta.read_text().replace(f'"format": "{DATASET_FORMAT}"', '"format": "d1"'))
    with pytest.raises(
        InputError,
        match=f"a dataset of format d1, this version reads {DATASET_FORMAT}; build the dataset again",
    ):
        load_meta(folder)
    meta.write_text("{}")
    with pytest.raises(InputError, match="build the dataset again"):
        load_meta(folder)
    with pytest.raises(InputError, match="no dataset"):
        load_meta(tmp_path / "absent")


def damage_each_file(folder: Path) -> None:
    """Each file in turn is what it should not be; all of it is one line."""
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    header = whole["rewards.npy"][:128].replace(b"(2,)", b"(2000000000000,)")[:128]
    for name, raw in whole.items():
        path = folder / name
        for other in (
            b"",
            b"\x93NUMPY",
            header,
            raw[:-1],
            raw + b"1",
            raw.replace(b"<f", b">f").replace(b"<i", b"<f"),
        ):
            path.write_bytes(other)
            read_or_refused(folder, changed=other != raw)
        path.write_bytes(raw)
        for make in (
            os.mkfifo,
            lambda p: os.symlink("/dev/zero", p),
            os.mkdir,
            lambda p: os.symlink("absent", p),
        ):
            path.unlink()
            make(path)
            read_or_refused(folder, changed=True)
            path.rmdir() if path.is_dir() else path.unlink()
            path.write_bytes(raw)


def read_or_refused(folder: Path, *, changed: bool) -> None:
    def read() -> None:
        load_scores(folder, len(load_transitions(folder).episode_names))

    if not changed:
        read()
        return
    with pytest.raises(InputError) as refused:
        read()
    assert "\n" not in str(refused.value)
    assert str(folder) in str(refused.value)


def test_the_name_of_a_dataset_is_what_it_was_before_there_were_rules() -> None:
    lexical = RewardSettings(measure="lexical", pattern="a")
    assert DataQuery().dataset_key("x") == "90f2013c6a39c452"
    assert DataQuery(reward=lexical).dataset_key("x") == "87696b534d12012c"
