"""Planner checkpoints: what goes in comes out, and whatever is broken is said in a line of its
own."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from agents.steering.checkpoint import (
    Checkpoint,
    CheckpointInfo,
    EncoderInfo,
    check_fits_model,
    load_checkpoint,
    save_checkpoint,
)
from agents.steering.checkpoint_folder import read_folder
from agents.steering.checkpoint_info import GivenId
from agents.steering.upmap import UpMap
from simworld.core.errors import InputError
from simworld.core.requests import ModelInfo

Make = Callable[..., Checkpoint]
INFO = ModelInfo(
    spec="hf:tiny", id="hash-1", dtype="float32", context=64, width=3, embedding_norm=4.0
)
FILES = ["planner.json", "planner.safetensors"]


def problems(folder: Path) -> list[str]:
    with pytest.raises(InputError) as refused:
        load_checkpoint(folder)
    return [str(problem).replace(f"{folder}", "F") for problem in refused.value.problems]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    policy=st.sampled_from(["", "actor", "constant", "blind"]),
    width=st.integers(1, 5),
    d_action=st.integers(1, 5),
    tokens=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 6), max_size=2).map(tuple),
    text_encoder=st.booleans(),
    ways=st.integers(0, 3),
    seed=st.integers(0, 1000),
    metrics=st.dictionaries(
        st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=2
    ),
)
def test_round_trip(
    tmp_path: Path, make_checkpoint: Make, policy: str, width: int, d_action: int, tokens: int, hidden: tuple[int, ...],
    text_encoder: bool, ways: int, seed: int, metrics: dict[str, float],
) -> None:  # fmt: skip
    made = make_checkpoint(
        policy, seed=seed, hidden=hidden, width=width, d_state=9 if text_encoder else width + 1, d_action=d_action,
        tokens=tokens, encoder=EncoderInfo(kind="text" if text_encoder else "lm", id="e", model="m"), metrics=metrics,
        data={"query": {"runs": ["a"]}, "rows": 5}, ways=ways,
    )  # fmt: skip
    # again and again: an older checkpoint is replaced
    folder = save_checkpoint(tmp_path / "planner", made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["planner"]
    assert sorted(path.name for path in folder.iterdir()) == FILES
    again = load_checkpoint(folder)
    assert again.info == made.info
    assert again.id == made.id
    assert made.to_arrays().keys() == again.to_arrays().keys()
    assert all(
        np.array_equal(array, again.to_arrays()[name]) for name, array in made.to_arrays().items()
    )
    if policy in ("actor", "constant"):
        states = torch.randn(3, made.info.d_state, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(again.choose_actions(states), made.choose_actions(states))


def test_an_action_is_made_from_the_standardised_state(make_checkpoint: Make) -> None:
    made = make_checkpoint("actor")
    assert made.actor is not None
    state = torch.tensor([[1.0, 2.0, 3.0, 0.5]])
    assert torch.equal(made.choose_actions(state), made.actor((state - made.mean) / made.std))
    assert made.choose_actions(state).norm().item() == pytest.approx(2**0.5)


def test_a_constant_and_no_policy(make_checkpoint: Make) -> None:
    constant = make_checkpoint("constant")
    assert constant.constant is not None
    assert torch.equal(constant.choose_actions(torch.zeros(3, 4)), constant.constant.repeat(3, 1))
    with pytest.raises(ValueError, match="an up-mapping alone"):
        make_checkpoint().choose_actions(torch.zeros(1, 4))
    with pytest.raises(ValueError, match="is blind: its actions are drawn turn by turn"):
        make_checkpoint("blind").choose_actions(torch.zeros(1, 4))


def test_blind_actions_are_a_policy_and_content(tmp_path: Path, make_checkpoint: Make) -> None:
    made = make_checkpoint("blind")
    assert made.blind is not None
    assert replace(made, blind=made.blind + 1).id != made.id
    folder = save_checkpoint(tmp_path / "blind", made)
    info = json.loads((folder / "planner.json").read_text())
    (folder / "planner.json").write_text(json.dumps(info | {"constant": True, "blind": 4}))
    assert problems(folder) == [
        f"F/planner.safetensors: {text}"
        for text in (
            "it has a constant action and blind actions; expected one of them at most",
            "tensor 'constant' is missing",
            "tensor 'blind' has the shape (3, 3); expected (4, 3)",
        )
    ]
    with pytest.raises(ValueError, match="its blind actions' numbers are all zero"):
        replace(made, blind=torch.tensor([[0.5, 0.0, 0.0]] * 3))
    taught = made.info.derived(constant=True)
    assert taught == make_checkpoint("constant").info


def test_the_id_is_the_content(make_checkpoint: Make) -> None:
    plain = make_checkpoint("actor")
    assert plain.id.startswith("p2-")
    assert len(plain.id) == 35
    words: dict[str, Any] = {
        "lm_spec": "hf:/home/me/tiny",
        "metrics": {"kl": 0.1},
        "parent": "p1-0123",
        "data": {
            "source": "/home/me/world.db",
            "query": {"runs": ["mine"], "since": "2026-01-01T00:00:00Z"},
        },
        "encoder": EncoderInfo(kind="lm", id="lm-1", model="hf:/home/me/sentences"),
    }
    assert make_checkpoint("actor", **words).id == plain.id  # only words about it
    others = [
        make_checkpoint("actor", seed=1),
        make_checkpoint("actor", position="start"),
        make_checkpoint("actor", lm_id="hash-2"),
        make_checkpoint("actor", data={"sha256": "x"}),
        make_checkpoint("actor", data={"settings": {"alpha": 2.5}}),
        make_checkpoint("actor", encoder=EncoderInfo(kind="lm", id="lm-2")),
        make_checkpoint("constant"),
    ]
    assert len({plain.id, *(other.id for other in others)}) == 8


def test_the_id_never_changes(make_info: Callable[..., CheckpointInfo]) -> None:
    weight = torch.arange(12, dtype=torch.float32).reshape(2, 6)
    upmap = UpMap(weight, tokens=2, act_norm=0.5, embedding_norm=4.0)
    info = make_info(format="p1", data={"source": "world.db"}, parent="p1-0")
    made = Checkpoint(
        info=make_info(format="p1"), upmap=upmap, mean=torch.zeros(4), std=torch.ones(4)
    )
    assert made.id == "p1-ae1843197aef196d0c13853515fdaae1"
    assert replace(made, info=info).id == "p1-9e22d1faa9e0de28a3a403937f78082b"
    assert replace(made, info=make_info()).id == "p2-a8f28d46cc90addf608f42ec305941cd"
    assert replace(made, info=info.derived()).id == "p2-a8f28d46cc90addf608f42ec305941cd"


SHIPPED = {
    "earn-thanks": "p2-63c5db356f230762db29b2c36fb0b9b6",
    "judged": "p1-e5bbec30b393f8e490c6642a62b2e273",
    "numbers": "p1-72cf8224c2bd46c90f53b5da48ce0787",
    "numbers-td3bc": "p1-35be8b3c7b5c5b4ac870b7a40b2eda51",
    "propose-then-thank": "p2-5ff2b1c3a8856620a47c332df6f391ea",
    "thank-or-propose": "p2-ebbc903603e471549a60dd9f2b98a3e4",
    "thanks": "p1-45fe690fc47e011bdfe65fba595dcba1",
    "thanks-and-times": "p2-8983fef5bd10e3733b9dca37ed06cd60",
    "when-to-thank": "p2-a1dd8564d3f1a37758d6fc47dba6c834",
}


def test_shipped_planners_keep_their_ids_and_name_no_machine() -> None:
    folder = Path(str(resources.files("agents"))) / "library" / "planners"
    assert {path.name: read_folder(path).id for path in folder.iterdir()} == SHIPPED
    assert {path.name: load_checkpoint(path).id for path in folder.iterdir()} == SHIPPED
    for path in folder.glob("*/planner.json"):
        assert not re.search(r'"(/|~|[A-Z]:\\|\w+://)', path.read_text()), path


def test_an_id_that_was_given_holds_for_its_content_alone(
    tmp_path: Path, make_checkpoint: Make
) -> None:
    first = make_checkpoint(
        "actor", format="p1", data={"source": "/home/me/world.db", "sha256": "x"}
    )
    content = replace(first, info=first.info.derived()).id
    info = first.info.model_copy(
        update={"data": {"sha256": "x"}, "given": GivenId(id=first.id, content=content)}
    )
    folder = save_checkpoint(tmp_path / "planner", replace(first, info=info))
    assert load_checkpoint(folder).id == read_folder(folder).id == first.id
    assert load_checkpoint(folder).info.derived(parent=first.id).given is None
    written = json.loads((folder / "planner.json").read_text())
    for changes in ({"position": "start"}, {"format": "p2"}, {"data": {"sha256": "y"}}):
        (folder / "planner.json").write_text(json.dumps(written | changes))
        assert problems(folder) == [
            f"F/planner.safetensors: its content is not what was given the id {first.id}; remove"
            " 'given' from planner.json"
        ]


def test_every_problem_of_a_broken_folder_is_a_line(tmp_path: Path, make_checkpoint: Make) -> None:
    assert problems(tmp_path / "nowhere") == ["F: no such checkpoint folder"]
    (tmp_path / "empty").mkdir()
    assert problems(tmp_path / "empty") == [
        "F/planner.json: no such file",
        "F/planner.safetensors: no such file",
    ]
    folder = save_checkpoint(tmp_path / "planner", make_checkpoint("actor"))
    info = json.loads((folder / "planner.json").read_text())
    arrays = load_file(folder / "planner.safetensors")

    def write(changes: dict[str, object], tensors: dict[str, np.ndarray]) -> None:
        (folder / "planner.json").write_text(json.dumps(info | changes))
        save_file(arrays | tensors, folder / "planner.safetensors")

    write({"positon": "end", "width": "3", "format": "p9", "act_norm": -1}, {})
    assert problems(folder) == [
        "F/planner.json: format: expected p1 or p2, found the text 'p9'",
        "F/planner.json: width: expected a whole number, found the text '3'",
        "F/planner.json: act_norm: expected more than 0, found the number -1",
        "F/planner.json: positon: unknown field",
    ]
    write(
        {"d_state": 7, "constant": True},
        {"std": np.zeros(4, np.float32), "extra": np.zeros(1, np.float32)},
    )
    assert problems(folder) == [
        f"F/planner.safetensors: {text}"
        for text in (
            "d_state is 7; a state of this model has 3 + 1 numbers",
            "it has an actor and a constant action; expected one of them at most",
            "tensor 'constant' is missing",
            "tensor 'extra' is not known",
            "tensor 'actor.net.0.weight' has the shape (5, 4); expected (5, 7)",
            "tensor 'mean' has the shape (4,); expected (7,)",
            "tensor 'std' has the shape (4,); expected (7,)",
        )
    ]
    bad = {"mean": np.full(4, np.nan, np.float32), "std": np.array([1, 0, 1, 1], np.float32)}
    write({}, bad | {"upmap.weight": np.zeros((2, 6))})
    assert problems(folder) == [
        "F/planner.safetensors: tensor 'mean' holds a number that is not finite",
        "F/planner.safetensors: tensor 'std' holds a number that is not above 0",
        "F/planner.safetensors: tensor 'upmap.weight' is float64; expected float32",
    ]
    (folder / "planner.json").write_text("{")
    (folder / "planner.safetensors").write_bytes(b"not one")
    assert problems(folder) == [
        "F/planner.json: invalid JSON: EOF while parsing an object at line 1 column 1",
        (
            "F/planner.safetensors: not a safetensors file of float32: Error while deserializing:"
            " header too small"
        ),
    ]


def test_who_may_read_a_folder_may_read_its_weights(tmp_path: Path, make_checkpoint: Make) -> None:
    folder = save_checkpoint(tmp_path / "shared", make_checkpoint("actor"))
    (tmp_path / "like").touch()
    modes = {path.stat().st_mode for path in (tmp_path / "like", *folder.iterdir())}
    assert len(modes) == 1


def test_a_tensor_of_another_type_of_number(tmp_path: Path, make_checkpoint: Make) -> None:
    from safetensors.torch import save_file as save_torch

    made = make_checkpoint()
    folder = save_checkpoint(tmp_path / "planner", made)
    tensors = {name: torch.from_numpy(array).bfloat16() for name, array in made.to_arrays().items()}
    save_torch(tensors, folder / "planner.safetensors")
    assert problems(folder) == ["F/planner.safetensors: not a safetensors file of float32: 'BF16'"]


def test_other_folders_are_not_overwritten(tmp_path: Path, make_checkpoint: Make) -> None:
    made = make_checkpoint()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds other files \(notes.txt\)"):
        save_checkpoint(tmp_path, made)
    with pytest.raises(InputError, match="is not a folder"):
        save_checkpoint(tmp_path / "notes.txt", made)
    with pytest.raises(InputError, match="cannot be written"):
        save_checkpoint(tmp_path / "notes.txt" / "planner", made)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert load_checkpoint(save_checkpoint(tmp_path / "empty", made)).id == made.id


def test_what_does_not_fit_together_is_no_checkpoint(
    make_info: Callable[..., CheckpointInfo], make_checkpoint: Make
) -> None:
    made = make_checkpoint("actor")
    with pytest.raises(ValueError, match=r"tensor 'actor\.net\.0\.weight' is not known"):
        Checkpoint(
            info=make_info(), upmap=made.upmap, actor=made.actor, mean=made.mean, std=made.std
        )
    other = UpMap(made.upmap.weight, tokens=2, act_norm=1.0, embedding_norm=4.0)
    with pytest.raises(ValueError, match=r"act_norm is 1.0 in the up-mapping, 0.5 in the info"):
        Checkpoint(info=made.info, upmap=other, actor=made.actor, mean=made.mean, std=made.std)
    with pytest.raises(ValueError, match="tensor 'mean' holds a number that is not finite"):
        Checkpoint(
            info=made.info,
            upmap=made.upmap,
            actor=made.actor,
            mean=made.mean * torch.nan,
            std=made.std,
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"id": "hash-2", "spec": "hf:other"},
            "was made for hf:tiny (hash-1…), not for hf:other (hash-2…); use that model",
        ),
        ({"width": 5}, "makes embeddings of 3 numbers; hf:tiny has 5"),
        (
            {"width": None, "spec": "openai:m@http://h"},
            "needs a local model; openai:m@http://h is a server",
        ),
    ],
)
def test_another_model_is_refused_in_one_line(
    make_checkpoint: Make, changes: dict[str, object], message: str
) -> None:
    given_info = {
        "spec": "hf:tiny",
        "id": "hash-1",
        "dtype": "float32",
        "context": 64,
        "width": 3,
    } | changes
    with pytest.raises(InputError) as refused:
        check_fits_model(make_checkpoint(), ModelInfo(**given_info))  # type: ignore[arg-type]
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_number_format_of_the_same_model_fits(make_checkpoint: Make) -> None:
    check_fits_model(make_checkpoint(dtype="bfloat16"), INFO)
