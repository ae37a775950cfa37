"""Ways in words, and which an action is nearest to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents import agent_content, agent_id_of, library_planner, load_spec, stored_agent_spec
from agents.steering.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.steering.checkpoint_folder import read_folder
from agents.steering.named_ways import (
    NEUTRAL,
    NamedWay,
    NearWay,
    named_ways,
    nearest_ways,
    ways_from_spec,
    ways_to_json,
)
from simworld.core.errors import InputError
from tests.agents.steering.test_steering_spec import INFO

Make = Callable[..., Checkpoint]
WORDS = ("thanks", "")


def with_words(made: Checkpoint, words: tuple[str, ...] = WORDS) -> Checkpoint:
    return replace(made, info=made.info.model_copy(update={"way_words": words}))


@pytest.mark.parametrize("format_", ["p1", "p2"])
def test_words_change_no_id_and_stand_in_the_file_where_there_are_any(
    tmp_path: Path, make_checkpoint: Make, format_: str
) -> None:
    plain = make_checkpoint(ways=2, format=format_)
    named = with_words(plain)
    assert named.id == plain.id
    save_checkpoint(tmp_path / "named", named)
    assert load_checkpoint(tmp_path / "named").info.way_words == WORDS
    save_checkpoint(tmp_path / "plain", plain)
    assert "way_words" not in json.loads((tmp_path / "plain" / "planner.json").read_text())
    assert read_folder(tmp_path / "named").id == read_folder(tmp_path / "plain").id


def test_words_for_another_number_of_ways_are_refused(
    tmp_path: Path, make_checkpoint: Make
) -> None:
    folder = save_checkpoint(tmp_path / "made", with_words(make_checkpoint(ways=2)))
    told = json.loads((folder / "planner.json").read_text())
    (folder / "planner.json").write_text(json.dumps(told | {"way_words": ["one"]}))
    with pytest.raises(InputError, match="1 ways are described in words; it has 2"):
        read_folder(folder)
    (folder / "planner.json").write_text(json.dumps(told | {"way_words": ["x" * 301, ""]}))
    with pytest.raises(InputError, match="way_words"):
        read_folder(folder)


def test_ways_have_words_or_numbers_and_a_latent_map_its_neutral_action(
    make_checkpoint: Make,
) -> None:
    made = with_words(make_checkpoint(ways=2))
    found = named_ways(made.info, made.to_arrays())
    assert [way.words for way in found] == ["thanks", "way 2"]
    assert made.ways is not None
    latent = replace(
        made,
        info=made.info.model_copy(update={"upmap": "latent"}),
        ways=torch.tensor([[1.0, 1.0], [2.0, 0.0]]),  # the other is the neutral one
    )
    found = named_ways(latent.info, latent.to_arrays())
    assert [(way.words, way.action.tolist()) for way in found] == [
        ("thanks", [1, 1]),
        (NEUTRAL, [np.float32(2**0.5), 0]),
    ]
    bare = make_checkpoint()
    assert named_ways(bare.info, bare.to_arrays()) == ()


def test_the_nearest_by_cosine() -> None:
    ways = [
        NamedWay(words="right", action=np.array([2, 0], np.float32)),
        NamedWay(words="up", action=np.array([0, 1], np.float32)),
        NamedWay(words="left", action=np.array([-1, 0], np.float32)),
        NamedWay(words="of another planner", action=np.zeros(3, np.float32)),
    ]
    near = nearest_ways(np.array([3, 4], np.float32), ways)
    assert [way.words for way in near] == ["up", "right"]
    assert [way.cosine for way in near] == pytest.approx([0.8, 0.6])
    assert nearest_ways(np.ones(4, np.float32), ways) == ()
    assert nearest_ways(np.zeros(2, np.float32), ways[:1]) == (NearWay(words="right", cosine=0),)


def test_a_stored_agent_has_its_ways_beside_what_makes_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_checkpoint: Make
) -> None:
    monkeypatch.chdir(tmp_path)
    save_checkpoint(Path("haggler"), with_words(make_checkpoint("actor", ways=2)))
    Path("mine.yaml").write_text("name: mine\nmodel: hf:tiny\nsteering: {planner: haggler}\n")
    loaded = load_spec(Path("mine.yaml"))
    id_, spec = agent_id_of(loaded, INFO), stored_agent_spec(loaded, INFO)
    ways = spec["steering"].pop("ways")
    assert spec == agent_content(loaded, INFO)
    found = ways_from_spec({"steering": {"ways": json.loads(json.dumps(ways))}})
    assert loaded.planner is not None
    assert [way.words for way in found] == ["thanks", "way 2"]
    np.testing.assert_allclose(
        np.stack([way.action for way in found]), loaded.planner.arrays["ways"], atol=1e-4
    )
    save_checkpoint(Path("haggler"), make_checkpoint("actor", ways=2))
    assert agent_id_of(load_spec(Path("mine.yaml")), INFO) == id_
    save_checkpoint(Path("haggler"), make_checkpoint("actor"))
    assert "ways" not in stored_agent_spec(load_spec(Path("mine.yaml")), INFO)["steering"]


@pytest.mark.parametrize(
    "steering",
    [
        None,
        "x",
        {"ways": "x"},
        {"ways": [{"words": "a"}]},
        {"ways": [{"words": "a", "action": [[1.0]]}]},
        {"ways": [{"words": "a", "action": [float("nan")]}]},
        {"ways": [{"words": "a", "action": "far"}]},
        {"ways": [1]},
    ],
)
def test_a_spec_that_was_edited_by_hand_has_no_ways(steering: object) -> None:
    assert ways_from_spec({"steering": steering}) == ()


def test_shipped_planners_are_found_by_id() -> None:
    thanks = library_planner("p1-45fe690fc47e011bdfe65fba595dcba1")
    assert thanks is not None
    assert thanks.path.name == "thanks"
    assert len(ways_to_json(named_ways(thanks.info, thanks.arrays))) == 25
    assert library_planner("p1-0") is None
