"""What `python -m build` makes is the whole of simworld: the wheel holds what git holds, and works in
an environment of its own, outside the clone. `make wheel` runs this.

Only simworld comes from the wheel. What it needs (torch and the rest, with the packaged weights) is
shared to save minutes: a `.pth` file in the new environment names the folder in which this Python
has torch. Python does not read the `.pth` files in there, so the editable simworld that lies beside
torch stays unknown; the first test makes sure of it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
PACKAGES = ("agents", "scenarios", "simworld", "store")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),  # beside other programs; the demo takes a minute of processor time
    pytest.mark.skipif(not (HOME / ".git").exists(), reason="not a git checkout"),
    pytest.mark.skipif(
        importlib.util.find_spec("build") is None, reason="`build` is not installed"
    ),
]


def tracked() -> list[str]:
    """The files of the clone that git knows and that are there."""
    listed = subprocess.run(
        ["git", "-C", str(HOME), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listed.split("\0") if name and (HOME / name).exists()]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and the wheel that was made from it: of tracked files alone."""
    source = tmp_path_factory.mktemp("source")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HOME / name, source / name)
    made = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(source)],
        cwd=made,
        check=True,
        capture_output=True,
    )
    return made


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (only,) = dist.glob("*.whl")
    return only


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with simworld from the wheel, and what it needs from where torch lies here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    install = ["install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True)
    torch = importlib.util.find_spec("torch")
    assert torch is not None
    assert torch.origin is not None
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(f"{Path(torch.origin).parents[1]}\n")
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing in it, to work in."""
    return tmp_path_factory.mktemp("empty")


def run(environment: Path, folder: Path, *command: str) -> str:
    """What a program of the environment prints, told nothing of the clone."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(environment / "bin" / command[0]), *command[1:]],
        cwd=folder,
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_what_git_holds_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {name for name in tracked() if name.split("/")[0] in PACKAGES}
    assert sorted(expected - names) == []
    assert sorted(names - expected) == []


def test_the_sdist_holds_the_source_and_neither_tests_nor_documentation(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {name for name in tracked() if name.split("/")[0] in PACKAGES}
    assert needed | {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= names
    assert {name.split("/")[0] for name in names} & {"tests", "docs", "bench", ".ci"} == set()


def test_simworld_is_the_one_of_the_wheel(environment: Path, empty: Path, wheel: Path) -> None:
    code = """
import importlib.metadata, json, os, sys
import simworld, agents, scenarios, store, torch
found = [module.__file__ for module in (simworld, agents, scenarios, store)]
print(json.dumps({"found": found, "path": [os.path.realpath(path) for path in sys.path],
                  "hooks": [str(hook) for hook in sys.meta_path],
                  "version": importlib.metadata.version("simworld")}))
"""
    told = json.loads(run(environment, empty, "python", "-c", code))
    assert [Path(path).is_relative_to(environment) for path in told["found"]] == [True] * 4
    assert str(HOME) not in told["path"]
    assert [hook for hook in told["hooks"] if "editable" in hook] == []
    assert wheel.name.startswith(f"simworld-{told['version']}-")
    # no commit: it is no checkout
    assert run(environment, empty, "simworld", "--version") == f"simworld {told['version']}\n"


def test_a_tournament_and_a_learning_are_planned(environment: Path, empty: Path) -> None:
    told = run(environment, empty, "simworld", "tournament", "run", "small", "--dry-run")
    assert "small: 42 episodes, 0 played, 42 left" in told
    told = run(environment, empty, "simworld", "learn", "when-to-thank", "--dry-run")
    assert "157 episodes to play, at most" in told
    assert list(empty.glob("*.db")) == []


def test_the_demo_is_played_and_served(environment: Path, empty: Path) -> None:
    run(environment, empty, "simworld", "demo", "--scenarios", "1")
    assert (empty / "simworld-demo.html").stat().st_size > 10_000
    found = json.loads(
        run(environment, empty, "simworld", "episode", "list", "--db", "simworld-demo.db", "--json")
    )
    assert len(found) == 2
    command = [str(environment / "bin" / "simworld"), "serve", "--db", "simworld-demo.db"]
    with subprocess.Popen(
        [*command, "--port", "0"], cwd=empty, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        try:
            line = server.stderr.readline()
            assert line.startswith("simworld is at http://127.0.0.1:"), line
            address = line.split()[-1].rstrip("/")
            for page, word in {
                "/": b"demo",
                "/static/style.css": b"{",
                "/db/info": b"turns",
            }.items():
                with urllib.request.urlopen(address + page) as answer:
                    assert word in answer.read()
        finally:
            server.send_signal(2)  # Ctrl-C
        assert server.wait(60) in (0, 130)
        assert "Traceback" not in server.stderr.read()
