"""What a run's last lines say of what failed."""

from __future__ import annotations

from pathlib import Path

from simworld.cli.failures import failure_lines
from simworld.core.errors import Failure
from store import open_store
from tests.factories.stored import RENT, add, begin, played


def timeout(message: str) -> Failure:
    return Failure(boundary="model", kind="timeout", message=message)


def test_whose_failures_how_often_and_what_to_do(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "x.db"), create=True) as store:
        items = begin(store, repeats=4, scenario=RENT)
        assert failure_lines(store, "first") == []
        # nobody spoke: it was the first seat
        add(store, items[0], played(items[0], failure=timeout("no answer")))
        # the owner spoke: the tenant
        add(store, items[1], played(items[1], "Well?", failure=timeout("no answer")))
        add(store, items[2], played(items[2], failure=timeout("no answer")))
        add(store, items[3], played(items[3], failure=timeout("lost")))
        # went well when played again
        add(store, items[3], played(items[3], "Well?", "Yes."), attempt=2)
        assert failure_lines(store, "first") == [
            "  failed 2 times: owner (smol): model: timeout: no answer",
            "  failed: tenant (rival): model: timeout: no answer",
            "  play them again with --retry-failed",
        ]


def test_many_kinds_are_cut(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "x.db"), create=True) as store:
        for number, item in enumerate(begin(store, repeats=7, scenario=RENT)):
            add(store, item, played(item, failure=timeout(f"kind {number}\x1b[31m")))
        lines = failure_lines(store, "first")
        assert lines[5] == "  2 more kinds: simworld episode list --run first --ending failed"
        assert "\x1b" not in "".join(lines)
