"""What is known of a model before it is loaded is what it says of itself afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import load_spec
from agents.lm import load_backend
from agents.lm.load import check_model_spec, identify_model
from agents.lm.local.weights import BUILTIN_MODELS
from simworld.core.errors import InputError, ModelError
from simworld.judging.judge_spec import load_judge


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_a_local_model(llama: Path, dtype: str) -> None:
    backend = load_backend(f"hf:{llama}", dtype=dtype, device="cpu")
    before = identify_model(f"hf:{llama}", dtype)
    assert (before.spec, before.id) == (backend.info.spec, backend.info.id)
    if dtype == "float32":  # `auto` looks at the machine's own device
        assert before.dtype == backend.info.dtype
    backend.close()


def test_a_server() -> None:
    spec = " openai:m@http://127.0.0.1:9/v1/chat/completions "
    backend = load_backend(spec)
    assert identify_model(spec) == identify_model(spec, "float32")
    assert (identify_model(spec).spec, identify_model(spec).id, identify_model(spec).dtype) == (
        backend.info.spec,
        backend.info.id,
        backend.info.dtype,
    )
    backend.close()


def test_a_built_in_one_is_known_by_its_file() -> None:
    name = "smollm2-135m-instruct"
    assert identify_model(f"builtin:{name}").id == BUILTIN_MODELS[name].sha256


@pytest.mark.parametrize("spec", ["builtin:smollm", "hf:./gone", "openai:", "gpt-4", "hf:"])
def test_what_names_nothing_is_refused(spec: str) -> None:
    with pytest.raises(ModelError):
        identify_model(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "builtin:nonsense",
            "builtin:nonsense is not a built-in model; there is smollm2-135m-instruct",
        ),
        ("builtin:smollm2", "did you mean 'builtin:smollm2-135m-instruct'?"),
        ("builtin:all-minilm-l6-v2", "is a sentence encoder; it cannot speak or judge"),
        ("hf:./gone", "hf:./gone: no such folder"),
        ("hf:~/gone", "hf:~/gone: no such folder"),
        ("hf:models/some/gone", "hf:models/some/gone: no such folder"),
        ("openai:", "is not understood; write builtin:NAME"),
        ("openai:@http://127.0.0.1:9/v1", "write openai:MODEL@URL"),
        ("gpt-4", "is not understood"),
        ("smollm2-135m-instruct", "did you mean 'builtin:smollm2-135m-instruct'?"),
    ],
)
def test_a_spec_that_can_mean_no_model(spec: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        check_model_spec(spec)
    assert message in str(error.value)


def test_what_may_be_fetched_later_passes(tmp_path: Path) -> None:
    for spec in (
        "hf:some/model",
        "hf:gpt2",
        f"hf:{tmp_path}",
        "openai:m@http://127.0.0.1:9",
        "openai:gpt-4o",
    ):
        check_model_spec(spec)


def test_agent_and_judge_files_are_checked_so(tmp_path: Path) -> None:
    agent, judge = tmp_path / "a.yaml", tmp_path / "j.yaml"
    agent.write_text("name: a\nmodel: builtin:smollm2\nprompt: scirpt\n")
    judge.write_text("name: j\nmodel: hf:./gone\nmethod: answers\n")
    with pytest.raises(InputError) as error:
        load_spec(agent)
    assert [str(p).removeprefix(f"{agent}:")[:20] for p in error.value.problems] == [
        "3:9: prompt: no prom",
        "2:8: model: builtin:",
    ]
    with pytest.raises(InputError) as error:
        load_judge(str(judge))
    assert str(error.value) == f"{judge}:2:8: model: hf:./gone: no such folder"
