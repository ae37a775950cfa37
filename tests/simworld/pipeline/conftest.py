"""A working folder with a loop in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.factories import played_episodes
from tests.factories.pipelines import FILE, SCENE


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played_episodes.save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    for name in ("chair", "boat", "hat", "dog", "lamp", "door"):
        (tmp_path / f"{name}.yaml").write_text(SCENE.format(name=name))
    (tmp_path / "short.yaml").write_text("style: script\ninstructions: '{{name}}: {{goal}}'\n")
    (tmp_path / "plain.yaml").write_text(
        f"name: plain\nmodel: hf:{model}\ndtype: float32\nprompt: short.yaml\nreasks: 10\nsampling:"
        " {max_new_tokens: 12}\n"
    )
    (tmp_path / "loop.yaml").write_text(FILE)
    return tmp_path
