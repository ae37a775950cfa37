"""What is light stays light: run in a child interpreter, for this one has loaded everything."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "sqlalchemy", "pydantic", "yaml", "numpy", "scipy", "httpx2")
HELP = """
import simworld.cli
sys.argv = ["simworld", "--help"]
try:
    simworld.cli.main()
except SystemExit as over:
    assert over.code in (0, None), over.code
"""


def loaded_by(code: str, modules: tuple[str, ...]) -> tuple[list[str], str]:
    """Which of the modules a child interpreter has loaded after the code, and what it printed."""
    ask = f"import sys\n{code}\nprint('LOADED', *[m for m in {modules!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    printed, _, last = done.stdout.rpartition("LOADED")
    return last.split(), printed


@pytest.mark.parametrize(
    "code", ["import simworld", "import simworld, simworld.cli", HELP], ids=["api", "cli", "help"]
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    loaded, printed = loaded_by(code, HEAVY)
    assert loaded == []
    if code is HELP:
        assert "Usage: simworld" in printed
        assert "Play scenarios with a cast of agents." in printed


def test_the_core_needs_numpy_and_regex_alone() -> None:
    code = (
        "import simworld.core.engine, simworld.stats.intervals, simworld.core.judgement,"
        " simworld.core.protocols"
    )
    loaded, _ = loaded_by(
        code, ("torch", "transformers", "sqlalchemy", "pydantic", "yaml", "click", "rich", "numpy")
    )
    assert loaded == ["numpy"]


def test_the_fakes_load_no_model_and_no_database() -> None:
    loaded, _ = loaded_by(
        "import simworld.testing", ("torch", "transformers", "sqlalchemy", "pydantic", "yaml")
    )
    assert loaded == []


def test_agents_load_no_torch() -> None:
    loaded, _ = loaded_by(
        "from simworld import find_specs, make_agent", ("torch", "transformers", "sqlalchemy")
    )
    assert loaded == []


def test_the_public_names_are_those_that_are_loaded_lazily() -> None:
    import simworld

    assert sorted(simworld.__all__) == sorted(simworld._LAZY)
    assert set(simworld.__all__) <= set(dir(simworld))
    with pytest.raises(AttributeError, match="module 'simworld' has no attribute 'nothing'"):
        _ = simworld.nothing


def test_the_types_that_a_checker_sees_are_those_that_are_loaded() -> None:
    """The block for type checkers, the table of homes and `__all__` name the same things."""
    import simworld

    tree = ast.parse(Path(simworld.__file__ or "").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    assert seen == simworld._LAZY
    assert len(simworld.__all__) == len(set(simworld.__all__)) == len(seen)


def test_jobs_and_protocols_are_public() -> None:
    import simworld

    jobs = {"run", "judge", "tournament", "evaluate", "learn"}
    protocols = {"Agent", "Backend", "MemoryBounded", "Learner", "Judge", "Generate", "Score"}
    assert jobs | protocols <= set(simworld.__all__)
    for name in simworld.__all__:
        assert getattr(simworld, name) is not None
    for name in jobs:  # and no module takes the place of one
        assert callable(getattr(simworld, name)), name


def test_the_public_functions_load_no_torch() -> None:
    loaded, _ = loaded_by(
        "from simworld import Agent, Backend, Generate, ScriptedSpec, find_scenarios, run",
        ("torch", "transformers"),
    )
    assert loaded == []
