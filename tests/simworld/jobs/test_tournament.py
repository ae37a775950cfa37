"""`simworld.tournament`: the command's job, for Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import simworld
from simworld import InputError
from simworld.cli import cli
from simworld.tournaments.loaded_tournament import load_tournament

CUP: dict[str, Any] = {
    "name": "cup",
    "agents": ["polite.yaml", "rude.yaml", "mute.yaml"],
    "scenarios": ["k*.yaml"],
    "judges": ["j.yaml"],
    "self_play": True,
}
FILE = (
    "name: cup\nagents: [polite.yaml, rude.yaml, mute.yaml]\nscenarios: ['k*.yaml']\n"
    "judges: [j.yaml]\nself_play: true\n"
)


@pytest.mark.filterwarnings("ignore::simworld.analysis.questions.query_source.Note")
def test_it_is_played_in_pieces_and_ends_in_standings(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "cup.yaml").write_text(FILE)
    first = simworld.tournament("cup.yaml", episodes=2, max_live=1)
    assert capsys.readouterr() == ("", "")
    assert (first.run, first.played, first.exhausted) == ("cup", 2, "2 episodes")
    assert first.left > 0
    assert "The budget of 2 episodes is spent" in str(first)
    rest = simworld.tournament(CUP)  # the same, without a file
    assert (rest.played, rest.failed, rest.left) == (first.left, 0, 0)
    assert simworld.tournament(load_tournament("cup")).played == 0
    frame = rest.frame()
    assert sorted(frame["agent"]) == ["mute", "polite", "rude"]
    assert frame["agent"][0] == "polite"  # whose games have a please in them
    assert list(rest.frame("goal", judge="j")["played"]) == list(frame["played"])
    assert rest.results().judge == "j"
    assert "<table" in rest._repr_html_()


def test_the_command_and_python_play_one_tournament(folder: Path) -> None:
    (folder / "cup.yaml").write_text(FILE)
    done = CliRunner().invoke(cli, ["tournament", "run", "cup.yaml", "--json"])
    assert done.exit_code == 0, done.output
    assert simworld.tournament(Path("cup.yaml")).played == 0


def test_what_is_wrong_in_a_mapping_is_told_by_its_keys(folder: Path) -> None:
    with pytest.raises(InputError) as error:
        simworld.tournament(CUP | {"agents": ["polite.yaml", "nobody"], "repeat": 2})
    assert [line.split(";")[0] for line in str(error.value).splitlines()] == [
        "tournament: repeat: unknown field"
    ]
    with pytest.raises(InputError, match=r"^tournament: agents\.1: no agent 'nobody'"):
        simworld.tournament(CUP | {"agents": ["polite.yaml", "nobody"]})
    with pytest.raises(InputError, match=r"^tournament: expected plain data, as a YAML file holds"):
        simworld.tournament(CUP | {"name": {1, 2}})
    with pytest.raises(InputError, match="episodes: expected a number from 1, found 0"):
        simworld.tournament(CUP, episodes=0)


def test_without_a_score_there_are_no_standings_but_a_report(folder: Path) -> None:
    (folder / "j.yaml").write_text(
        (folder / "j.yaml").read_text().replace("http://127.0.0.1", "http://127.0.0.1:9/x")
    )
    (folder / "j.yaml").write_text(
        "name: j\nmodel: openai:judge@http://127.0.0.1:9/v1\nmethod: server\nretries: 0\n"
    )
    done = simworld.tournament(CUP)
    assert done.tallies["j"].failed == done.played
    assert "judgements by j failed, the last: " in str(done)
    with pytest.raises(InputError, match="judge 'j' scored no episode of tournament 'cup'"):
        done.frame()
    assert "<table" not in done._repr_html_()
    with pytest.raises(InputError, match="tournament 'cup' has no judge 'k'; there are j"):
        done.results("k")
