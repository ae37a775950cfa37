"""What is light stays light: run in a child interpreter, for this one has loaded everything."""

import subprocess
import sys

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
