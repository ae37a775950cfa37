"""The name fence: one clear line when another package plays one of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import simworld
from simworld import name_clash_check


def run(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_the_packages_of_this_checkout_pass() -> None:
    name_clash_check.check_package_names()


@pytest.mark.parametrize("name", name_clash_check.PACKAGES)
@pytest.mark.parametrize("layout", ["module", "package"])
def test_an_intruder_in_the_working_folder_is_named(tmp_path: Path, name: str, layout: str) -> None:
    if layout == "module":
        intruder = tmp_path / f"{name}.py"
    else:
        intruder = tmp_path / name / "__init__.py"
        intruder.parent.mkdir()
    intruder.write_text("")
    done = run("from simworld import play", tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f"another package named {name!r} ({intruder.resolve()}) hides simworld's own" in last


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "store.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "simworld", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: another package named 'store' (")
    assert done.stderr.count("\n") == 1


FINDER = """
import importlib.util, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in {names!r}:
            return importlib.util.spec_from_file_location(name, {home!r} + "/" + name + "/__init__.py")
sys.meta_path.append(Finder)
"""


@pytest.mark.parametrize(
    "code",
    [
        "import simworld; print(simworld.play)",
        "from simworld.cli import main; sys.argv = ['simworld', 'agent', 'list']; main()",
    ],
)
def test_folders_of_data_may_have_these_names(tmp_path: Path, code: str) -> None:
    """As in an editable install, whose finder Python asks after the working folder."""
    home = Path(simworld.__file__).resolve().parent.parent
    for name in name_clash_check.PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.yaml").write_text("name: mine\n")
    finder = FINDER.format(names=("simworld", *name_clash_check.PACKAGES), home=str(home))
    paths = [
        path for path in sys.path if path and Path(path).resolve() != home and Path(path).is_dir()
    ]
    done = subprocess.run(
        [sys.executable, "-S", "-c", finder + code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_file_that_was_overwritten_in_place_is_found(tmp_path: Path) -> None:
    # What pip does when a second distribution brings a folder of the same name.
    home = Path(simworld.__file__).resolve().parent
    for name in ("simworld", *name_clash_check.PACKAGES):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("__simworld__ = True\n")
    (tmp_path / "simworld" / "name_clash_check.py").write_text(
        (home / "name_clash_check.py").read_text()
    )
    code = "from simworld.name_clash_check import check_package_names as check; check()"
    assert run(code, tmp_path).returncode == 0
    (tmp_path / "agents" / "__init__.py").write_text("class Agent: ...\n")
    assert "another package named 'agents'" in run(code, tmp_path).stderr


def test_the_public_names_are_all_there_and_sorted_by_home() -> None:
    assert list(simworld.__all__) == list(simworld._LAZY)
    for name in simworld.__all__:
        assert getattr(simworld, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = simworld.nonsense
