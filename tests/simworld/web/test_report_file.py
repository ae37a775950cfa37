"""The report: one file with everything of a tournament that finds room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.core.episode import Act, Action, ActionKind
from simworld.core.errors import InputError
from simworld.web.report_file import make_report
from store import open_store
from tests.factories.web_episodes import BROKEN, add, begin
from tests.factories.web_world import MARKET
from tests.simworld.web.test_pages import Reader


def written(url: str, run: str, most_bytes: int = 4_500_000) -> tuple[str, Reader]:
    with open_store(url, read_only=True) as store:
        text = make_report(store, run, max_bytes=most_bytes)
    return text, Reader(text)


def test_it_holds_the_standings_and_every_transcript(world: str) -> None:
    html, page = written(world, "cup")
    assert "48 of 48 episodes done, 48 judged" in page.text
    assert "Standings by fake" in page.text
    assert "Who won against whom" in page.text
    assert "Paired differences" in page.text
    assert "48 of 48 episodes are in this file" in page.text
    assert page.text.count("I am ada.") >= 24
    assert len(page.ids) == len(set(page.ids))
    assert all(target.startswith("#") and target[1:] in page.ids for target in page.links)
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", html)


def test_it_leaves_out_transcripts_that_find_no_room_evenly(world: str) -> None:
    html, page = written(world, "cup", 200_000)
    assert len(html.encode()) <= 200_000
    shown = [int(n) for n in re.findall(r"(\d+) of (?:9|21) episodes", page.text)]
    assert len(shown) == 4
    assert 0 < min(shown) <= max(shown) <= min(shown) + 1
    assert "the others did not find room" in page.text


def test_texts_stay_texts(world: str) -> None:
    _, page = written(world, f"run/{BROKEN}")
    assert BROKEN in page.text
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]


def test_a_run_that_nobody_judged_has_a_report(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", create=True) as store:
        item, _ = begin(store, "plain", MARKET, ("a-plain", "a-plain"), 2)
        with pytest.raises(InputError, match="nothing of 'plain' is played yet"):
            make_report(store, "plain")
        add(
            store,
            item,
            MARKET,
            [Act(seat="seller", action=Action(kind=ActionKind.speak, text="Good evening."))],
        )
        page = Reader(make_report(store, "plain"))
        assert "Nobody has judged this run yet" in page.text
        assert "1 of 1 episode is in this file" in page.text
        with pytest.raises(InputError, match="no run 'none'"):
            make_report(store, "none")


def test_the_command(world: str, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    arguments = ["report", "cup", "--out", str(out), "--db", world]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert (done.exit_code, done.output) == (
        0,
        f"Wrote {out}.\nnext: simworld episode list --run cup --db {world}\n",
    )
    assert "Who won against whom" in out.read_text("utf-8")
    with pytest.raises(InputError, match="exists; give another --out, or --force to replace it"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)
    folder = [*arguments[:3], str(tmp_path), *arguments[4:], "--force"]
    with pytest.raises(InputError, match="is a folder; give --out the name of a file, like "):
        CliRunner().invoke(cli, folder, catch_exceptions=False)
    with pytest.raises(InputError, match="no run 'cop' in this database; did you mean 'cup'"):
        CliRunner().invoke(
            cli,
            ["report", "cop", "--out", str(out), "--db", world, "--force"],
            catch_exceptions=False,
        )
    assert "Who won against whom" in out.read_text("utf-8")  # as it was
