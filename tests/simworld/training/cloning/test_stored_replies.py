from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simworld.core.episode import PlanStep
from simworld.core.errors import InputError
from simworld.core.scenario import Persona
from simworld.training.cloning.stored_replies import sample_by_family, stored_replies
from simworld.training.data.family_splits import assign_splits
from store import Store
from tests.factories import played_episodes

LINES = (" Hello, it is 5.", " No, Ann. I pay 3.", " Then 4.", " Fine, four it is")


def test_prompts_come_back_as_they_were_asked(store: Store) -> None:
    who, record = played_episodes.agent("m1")
    scenario = played_episodes.scene("chair")
    played = played_episodes.play_lines(who, scenario, LINES)
    played_episodes.add(store, played, scenario, record)
    found = list(stored_replies(store, model_id="m1"))
    assert [sample.prompt for sample in found] == list(played.prompts)
    assert [sample.reply for sample in found] == list(LINES)
    assert [sample.stop for sample in found] == ["\n", "\n", "\n", None]  # the last was cut
    assert [sample.observation.seat for sample in found] == ["seller", "buyer", "seller", "buyer"]
    assert {sample.family for sample in found} == {"chair"}
    assert {sample.template_version for sample in found} == {played_episodes.SCRIPT.version}


def test_other_models_runs_agents_and_steered_acts_are_left_out(store: Store) -> None:
    who, record = played_episodes.agent("m1")
    scenario = played_episodes.scene("chair")
    played = played_episodes.play_lines(who, scenario, LINES)
    turns = list(played.episode.turns)
    steered = PlanStep(
        state=np.zeros(2, np.float32), action=np.ones(2, np.float32), encoder_id="e", planner_id="p"
    )
    states = PlanStep(state=np.zeros(2, np.float32), action=None, encoder_id="e")
    for index, plan in ((0, steered), (1, states)):
        turns[index] = replace(turns[index], acts=(replace(turns[index].acts[0], plan=plan),))
    played_episodes.add(
        store,
        replace(played, episode=replace(played.episode, turns=tuple(turns))),
        scenario,
        record,
    )
    assert [sample.reply for sample in stored_replies(store, model_id="m1")] == list(LINES[1:])
    assert not list(stored_replies(store, model_id="m2"))
    assert not list(stored_replies(store, model_id="m1", run="other"))
    assert not list(stored_replies(store, model_id="m1", agent="nobody"))
    assert len(list(stored_replies(store, model_id="m1", agent="plain", run="first"))) == 3


def test_replies_to_prompts_that_were_mended_since_are_left_out(store: Store) -> None:
    agent, record = played_episodes.agent("m1")
    scenario = played_episodes.scene("chair")
    seller = replace(scenario.seats[0], persona=Persona(name="Mrs. Ann Lee"))
    scenario = replace(scenario, seats=(seller, scenario.seats[1]))
    played = played_episodes.play_lines(agent, scenario, LINES)
    turns = list(played.episode.turns)
    made = turns[0].acts[0].generation
    assert made is not None
    assert made.prompt_version == f"{played_episodes.SCRIPT.version}+2"
    old = replace(made, prompt_version=played_episodes.SCRIPT.version)  # when she was called Mrs.
    turns[0] = replace(turns[0], acts=(replace(turns[0].acts[0], generation=old),))
    played_episodes.add(
        store,
        replace(played, episode=replace(played.episode, turns=tuple(turns))),
        scenario,
        record,
    )
    found = list(stored_replies(store, model_id="m1"))
    assert [sample.reply for sample in found] == list(LINES[1:])
    assert {sample.template_version for sample in found} == {played_episodes.SCRIPT.version}


def test_a_family_stays_in_its_part_as_families_are_added() -> None:
    names = [f"family-{i}" for i in range(200)]
    few, many = assign_splits(names[:100], seed=1), assign_splits(names, seed=1)
    assert all(many[name] == few[name] for name in few)
    counts = [list(many.values()).count(part) for part in ("test", "dev", "train")]
    assert counts[0] == pytest.approx(50, abs=20)
    assert counts[1] == pytest.approx(30, abs=16)
    assert sum(counts) == 200
    assert assign_splits(names, seed=2) != many


def test_every_part_has_a_family_where_there_are_three() -> None:
    for seed in range(20):
        assert sorted(assign_splits(["a", "b", "c"], seed=seed).values()) == [
            "dev",
            "test",
            "train",
        ]
    with pytest.raises(InputError, match="found 2 families with replies \\(a, b\\)"):
        assign_splits(["a", "b"], seed=0)


def test_whole_seats_are_taken_evenly_over_families() -> None:
    from simworld.core.requests import TextPrompt

    rows = [
        played_episodes.make_stored_reply(TextPrompt(text=str(turn)), family=f, turn=turn)
        for f in ("a", "b")
        for turn in range(3)
    ]
    more = [replace(row, episode="a-later") for row in rows[:3]]
    assert len(sample_by_family([*rows, *more], 99, seed=0)) == 9
    first = sample_by_family([*rows, *more], 6, seed=0)
    assert {sample.family for sample in first} == {"a", "b"}
    assert len({sample.episode for sample in first}) == 2
    assert len(sample_by_family(rows, 4, seed=0)) == 4
