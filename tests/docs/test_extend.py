"""The page on extensions: its package is taken out of it, built, installed, and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import played_episodes
from tests.factories.pipelines import SCENE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "extend.md").read_text("utf-8")
_FILE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in _SHELL.findall(PAGE) for line in block.splitlines()]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the page's files, and its package installed in `site`, built by setuptools."""
    folder = tmp_path_factory.mktemp("study")
    for name, text in _FILE.findall(PAGE):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    build = tmp_path_factory.mktemp("build")
    shutil.copytree(folder / "haggling", build / "haggling")
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-q"]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--no-index", "--target",
         str(folder / "site"), str(build / "haggling")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    yield folder
    shutil.rmtree(build)


def run(folder: Path, *arguments: str) -> str:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(folder / "site"), str(ROOT))),
        "OMP_NUM_THREADS": "1",
        "SIMWORLD_DB": "sqlite:///x.db",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_package_is_as_short_as_a_package_can_be() -> None:
    files = dict(_FILE.findall(PAGE))
    code = "".join(files[name] for name in ("haggling/pyproject.toml", "haggling/haggling.py"))
    assert len([line for line in code.splitlines() if line.strip()]) <= 90


def test_it_is_listed_with_its_distribution_and_version(study: Path) -> None:
    listed = run(study, "simworld", "extension", "list")
    for name in ("stubborn", "fair-price", "of-length", "weighted"):
        assert re.search(rf"{name}\s+simworld-haggling 0\.1\.0\s+haggling:\w+\s+ok", listed), listed


def test_its_own_tests_pass(study: Path) -> None:
    assert "1 passed" in run(study, "pytest", "-q", "-p", "no:cacheprovider", "haggling")


def test_its_agents_play_and_are_judged_and_meet_in_a_tournament(study: Path) -> None:
    for name in ("run", "judge run", "tournament run"):
        command = next(line for line in COMMANDS if line.startswith(f"simworld {name} "))
        output = run(study, *command.split())
        if name == "judge run":
            assert output.startswith("1 scored, 0 failed")
        if name == "tournament run":
            assert re.search(r"stubborn +\d+ .*\n *softer +\d+ ", output), output
    assert "check" in COMMANDS[2]
    run(study, "simworld", "check", "stubborn.yaml", "judge.yaml", "cup.yaml", "loop.yaml")


def test_a_loop_learns_by_its_reward_and_its_learner(study: Path) -> None:
    """On a tiny random model and scenes of its own, else as the page has it."""
    model = played_episodes.save_tiny(study / "tiny")
    names = ("chair", "boat", "hat", "dog", "lamp", "door")
    for name in names:
        (study / f"{name}.yaml").write_text(SCENE.format(name=name))
    (study / "short.yaml").write_text("style: script\ninstructions: '{{name}}: {{goal}}'\n")
    (study / "plain.yaml").write_text(
        f"name: plain\nmodel: hf:{model}\ndtype: float32\nprompt: short.yaml\nreasks: 10\nsampling:"
        " {max_new_tokens: 12}\n"
    )
    loop = (study / "loop.yaml").read_text().replace("smol-script", "plain.yaml")
    loop = re.sub("train: \\[last.*", "train: [chair.yaml, boat.yaml, hat.yaml, dog.yaml]", loop)
    loop = re.sub("test: \\[snow.*", "test: [lamp.yaml, door.yaml]", loop)
    (study / "tiny.yaml").write_text(loop)
    output = run(study, "simworld", "learn", "tiny.yaml", "--threads", "1", "--json")
    assert '"main": "of-length"' in output
    assert '"words"' in output


@pytest.mark.model
@pytest.mark.slow
def test_a_loop_learns_on_the_built_in_model(study: Path) -> None:
    assert "planner" in run(study, "simworld", "learn", "loop.yaml")
