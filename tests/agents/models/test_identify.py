"""What is known of a model before it is loaded is what it says of itself afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.models import load_backend
from agents.models.load import identify
from agents.models.weights import BUILTIN
from simworld.core.errors import ModelError


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_a_local_model(llama: Path, dtype: str) -> None:
    backend = load_backend(f"hf:{llama}", dtype=dtype, device="cpu")
    before = identify(f"hf:{llama}", dtype)
    assert (before.spec, before.id) == (backend.info.spec, backend.info.id)
    if dtype == "float32":  # `auto` looks at the machine's own device
        assert before.dtype == backend.info.dtype
    backend.close()


def test_a_server() -> None:
    spec = " openai:m@http://127.0.0.1:9/v1/chat/completions "
    backend = load_backend(spec)
    assert identify(spec) == identify(spec, "float32")
    assert (identify(spec).spec, identify(spec).id, identify(spec).dtype) == (
        backend.info.spec,
        backend.info.id,
        backend.info.dtype,
    )
    backend.close()


def test_a_built_in_one_is_known_by_its_file() -> None:
    name = "smollm2-135m-instruct"
    assert identify(f"builtin:{name}").id == BUILTIN[name].sha256


@pytest.mark.parametrize("spec", ["builtin:smollm", "hf:./gone", "openai:", "gpt-4", "hf:"])
def test_what_names_nothing_is_refused(spec: str) -> None:
    with pytest.raises(ModelError):
        identify(spec)
