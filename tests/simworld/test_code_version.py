"""Rows name the commit that made them, where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import simworld
from simworld.cli import cli
from simworld.code_version import code_version, described

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *args: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, *args], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@needs_git
def test_a_checkout_names_its_commit_and_says_when_it_was_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "tag", "v9")  # a tag takes no part
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert described("0.1.0", tmp_path) == f"0.1.0+g{commit[:12]}"
    (tmp_path / "new.py").write_text("")  # not tracked
    assert described("0.1.0", tmp_path) == f"0.1.0+g{commit[:12]}"
    (tmp_path / "a.py").write_text("a = 2\n")
    assert described("0.1.0", tmp_path) == f"0.1.0+g{commit[:12]}.dirty"


def test_an_installed_package_names_its_version_alone(tmp_path: Path) -> None:
    assert described("0.1.0", tmp_path) == "0.1.0"
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    assert described("0.1.0", tmp_path) == "0.1.0"


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert described("0.1.0", tmp_path) == "0.1.0"


def test_this_code() -> None:
    assert code_version().partition("+")[0] == simworld.__version__


def test_pyproject_says_the_version() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    said = tomllib.loads(project.read_text("utf-8"))["project"]["version"]
    again = "an older one is installed; pip install --no-deps --no-build-isolation -e . mends that"
    assert simworld.__version__ == said, again


def test_the_command_names_the_code_that_it_runs() -> None:
    shown = CliRunner().invoke(cli, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"simworld {code_version()}\n")
