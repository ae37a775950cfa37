"""Stages are done once for the same settings and inputs, and again when something has changed
underneath."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli.learn import learn
from simworld.core.errors import InputError
from simworld.pipeline.learn.context import open_context
from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.shipped_files import open_learn_file, shipped_names
from simworld.pipeline.learn.stage_cache import (
    Stage,
    StageCache,
    StageFunction,
    StageOutput,
    StageState,
)
from simworld.yamlfile import load_text
from store import open_store


class World:
    """Two stages, the second made from the first; what they leave is in `there`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[str] = []
        self.there: dict[str, str] = {}
        self.failing = 0

    def go(
        self, first: int = 1, second: int = 1, *, dry: bool = False, retry_failed: bool = False
    ) -> tuple[StageState, ...]:
        cache = StageCache(self.folder, dry=dry, retry_failed=retry_failed)
        return cache.run(self.stages(first, second), self)

    def stages(
        self, first: int = 1, second: int = 1, work: StageFunction | None = None
    ) -> list[Stage]:
        one = Stage("one", (), {"n": first}, partial(made, what=f"one {first}"), left)
        work = work or partial(made, what=f"two {second}")
        return [one, Stage("two", (one,), {"n": second}, work, left)]


def made(world: World, label: str, *inputs: StageState, what: str) -> StageOutput:
    world.done.append(what)
    world.there[label] = f"{what}, {world.failing} failed"
    return StageOutput(path=label, failed=world.failing)


def left(world: World, label: str, path: str) -> str | None:
    return world.there.get(path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_done_twice(world: World) -> None:
    world.go()
    one, two = world.go()
    assert world.done == ["one 1", "two 1"]
    assert (one.skipped, two.skipped) == (True, True)
    assert two.output == StageOutput(fingerprint="two 1, 0 failed", path=two.label)
    assert two.path == world.folder / two.label


def test_a_changed_setting_does_again_what_depends_on_it(world: World) -> None:
    world.go()
    world.go(second=2)
    assert world.done == ["one 1", "two 1", "two 2"]
    world.go(first=2)
    assert world.done[3:] == ["one 2", "two 1"]
    world.go()
    assert len(world.done) == 5  # the first of all is still kept


def test_what_is_gone_is_made_again_and_its_users_only_if_it_came_out_another(world: World) -> None:
    one, _ = world.go()
    del world.there[one.label]
    world.go()
    assert world.done == ["one 1", "two 1", "one 1"]


def test_what_was_changed_underneath_is_made_again(world: World) -> None:
    _, two = world.go()
    world.there[two.label] = "something else"
    world.go()
    assert world.done == ["one 1", "two 1", "two 1"]


def test_what_failed_is_tried_again_only_when_asked_and_what_depends_on_it_follows(
    world: World,
) -> None:
    world.failing = 3
    world.go()
    world.failing = 0
    one, _ = world.go()
    assert one.output is not None
    assert (one.skipped, one.output.failed) == (True, 3)
    one, two = world.go(retry_failed=True, dry=True)
    assert (one.output, two.output) == (None, None)
    again, new = world.go(retry_failed=True)
    assert world.done == ["one 1", "two 1", "one 1", "two 1"]
    assert again.label == one.label  # what did not fail stays in it
    assert new.label != two.label  # it cannot go on from the old input
    one, two = world.go(retry_failed=True)
    assert (one.skipped, two.skipped) == (True, True)
    assert (len(world.done), two.label) == (4, new.label)


def test_a_stage_that_began_with_another_input_takes_another_name(world: World) -> None:
    world.failing = 1
    labels = []

    def killed(world: World, label: str, one: StageState) -> StageOutput:
        labels.append(label)
        raise KeyboardInterrupt

    def go(*, retry_failed: bool) -> None:
        with pytest.raises(KeyboardInterrupt):
            StageCache(world.folder, retry_failed=retry_failed).run(
                world.stages(work=killed), world
            )

    go(retry_failed=False)
    go(retry_failed=False)
    world.failing = 0
    go(retry_failed=True)
    assert labels[0] == labels[1] != labels[2]


def test_a_stage_of_another_version_stands_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.pipeline.learn.stage_cache.code_version", lambda: "0.0.9")
    assert world.go()[0].code_version == "0.0.9"
    monkeypatch.undo()
    one, _ = world.go()
    assert (one.skipped, one.code_version) == (True, "0.0.9")
    record = world.folder / "stages" / f"{one.label}.json"
    old = json.loads(record.read_text())
    del old["code_version"]
    record.write_text(json.dumps(old))  # as versions wrote it that did not say
    one, _ = world.go()
    assert (one.skipped, one.code_version) == (True, "")


def test_a_dry_run_does_nothing_and_knows_what_is_done(world: World) -> None:
    one, two = world.go(dry=True)
    assert (world.done, one.output, two.output) == ([], None, None)
    assert not any(world.folder.iterdir())
    world.go()
    one, two = world.go(second=2, dry=True)
    assert one.output is not None
    assert two.output is None
    assert len(world.done) == 2


def test_a_stage_that_fails_leaves_no_record(world: World) -> None:
    def broken(world: World, label: str, one: StageState) -> StageOutput:
        raise InputError("no")

    with pytest.raises(InputError):
        StageCache(world.folder).run(world.stages(work=broken), world)
    world.go()
    assert world.done == ["one 1", "two 1"]


def test_a_damaged_record_is_as_good_as_none(world: World) -> None:
    one, _ = world.go()
    (world.folder / "stages" / f"{one.label}.json").write_text("{")
    world.go()
    assert world.done == ["one 1", "two 1", "one 1"]


HEAD = (
    "name: g\nagent: a\npartners: [b]\nscenarios: {train: [x], test: [y]}\nreward: {measure:"
    " judged}\n"
)


def values(text: str) -> list[dict[str, object]]:
    return [cell.values for cell in grid_points(load_text(HEAD + text, "g.yaml"))]


def test_a_file_without_lists_is_one_cell() -> None:
    assert values("") == [{}]


def test_lists_make_combinations_the_last_changing_fastest() -> None:
    assert values("seed: [0, 1]\nupmap: {tokens: [2, 8]}\n") == [
        {"seed": 0, "upmap.tokens": 2},
        {"seed": 0, "upmap.tokens": 8},
        {"seed": 1, "upmap.tokens": 2},
        {"seed": 1, "upmap.tokens": 8},
    ]


def test_whole_blocks_vary_and_null_is_a_value() -> None:
    assert values("clone: [null, {steps: 3}]\n") == [{"clone": None}, {"clone": {"steps": 3}}]


def test_what_takes_a_list_varies_by_a_list_of_lists() -> None:
    assert values("train: {hidden: [8, 8]}\n") == [{}]
    assert values("train: {hidden: [[8], [8, 8]]}\n") == [
        {"train.hidden": [8]},
        {"train.hidden": [8, 8]},
    ]


def test_weights_vary_one_by_one() -> None:
    head = HEAD.replace(
        "{measure: judged}", "{measure: judged, weights: {goal: [1, 2], secret: 1}}"
    )
    found = grid_points(load_text(head, "g.yaml"))
    assert [cell.values for cell in found] == [
        {"reward.weights.goal": 1},
        {"reward.weights.goal": 2},
    ]
    assert [dict(cell.file.reward.weights) for cell in found] == [
        {"goal": 1, "secret": 1},
        {"goal": 2, "secret": 1},
    ]


def test_problems_of_all_combinations_come_at_once_each_once() -> None:
    with pytest.raises(InputError) as caught:
        values("upmap: {tokens: [0, 2], action_size: [4, -1]}\n")
    assert len(caught.value.problems) == 2


def test_too_many_combinations_are_refused() -> None:
    with pytest.raises(InputError, match="at most 500"):
        values(f"seed: {list(range(30))}\nreplies: {list(range(1, 31))}\n")


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_files_are_right_and_name_what_there_is(name: str, tmp_path: Path) -> None:
    assert re.search(rf"\b{name}\b", CliRunner().invoke(learn, ["--help"]).output)
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", create=True) as store:
        for cell in grid_points(open_learn_file(name)):
            assert cell.file.name == name
            context = open_context(cell.file, store, tmp_path)
            assert (
                len({scenario.family for scenario in context.train_scenarios}) >= 3
            )  # cloning needs as many
