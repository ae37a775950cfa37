"""Self-cloning of the built-in model, from replies it writes here: neutral, and still able to steer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli.run import run
from simworld.cli.train.clone import clone
from simworld.cli.train.upmap import upmap


def call(command: object, *args: str) -> dict[str, object]:
    found = CliRunner().invoke(command, [*args, "--json"], catch_exceptions=False)  # type: ignore[arg-type]
    assert found.exit_code == 0, found.output
    plain: dict[str, object] = json.loads(found.stdout)
    return plain


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(3600)
def test_a_clone_of_the_built_in_model_is_neutral_and_can_steer(tmp_path: Path) -> None:
    db, base, out = f"sqlite:///{tmp_path / 'world.db'}", str(tmp_path / "pca"), str(tmp_path / "clone")
    call(run, "library", "--cast", "*=smol-script", "--db", db)
    call(upmap, "--tokens", "4", "--action-size", "32", "--out", base)
    more = ["--steps", "160", "--replies", "240", "--dtype", "bfloat16"]
    made = call(clone, "--upmap", base, "--train-upmap", "--db", db, *more, "--out", out)
    metrics = made["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["kl"] <= 0.02
    assert metrics["kl"] <= metrics["random_kl"] / 4
    assert 0.98 <= metrics["perplexity_ratio"] <= 1.02
    assert metrics["reach"] >= 0.05
