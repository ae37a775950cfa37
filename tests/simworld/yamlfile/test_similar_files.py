"""The file that was meant, beside or in a folder nearby."""

from __future__ import annotations

from pathlib import Path

import pytest

from simworld.yamlfile import closest_match, did_you_mean, did_you_mean_file


@pytest.fixture(autouse=True)
def _study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = (
        "agents/brief.yaml",
        "players/shy.yml",
        "players/agents/bold.yaml",
        "judges/strict.yaml",
        "here.yaml",
    )
    for file in (*files, ".hidden/quiet-one.yaml", "scenarios/train.yaml", "agents/notes.txt"):
        (tmp_path / "study" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "study" / file).write_text("")
    monkeypatch.chdir(tmp_path / "study")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("brief.yaml", "agents/brief.yaml"),
        ("brief", "agents/brief.yaml"),
        ("breif.yaml", "agents/brief.yaml"),
        ("BRIEF.yml", "agents/brief.yaml"),
        ("agents/breif.yaml", "agents/brief.yaml"),
        ("nowhere/brief.yaml", "agents/brief.yaml"),
        ("shy.yaml", "players/shy.yml"),
        ("bold", "players/agents/bold.yaml"),
        ("heer.yaml", "here.yaml"),
        ("smol-scirpt", "smol-script"),
        ("smol-script.yaml", "smol-script"),
    ],
)
def test_the_file_or_the_known_name_that_was_meant(name: str, meant: str) -> None:
    assert did_you_mean_file(name, "agents", known=("smol-script",)) == f"; did you mean '{meant}'?"


@pytest.mark.parametrize(
    "name", ["strict.yaml", "quiet-one.yaml", "notes.txt", "train", "zzz", "x" * 5000, "a\0b", ""]
)
def test_files_of_other_kinds_hidden_ones_and_nothing_alike(name: str) -> None:
    assert did_you_mean_file(name, "agents") == ""


def test_beside_another_file_and_from_a_folder_of_another_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (
        did_you_mean_file("strict.yaml", "judges", beside=Path("scenarios"))
        == "; did you mean '../judges/strict.yaml'?"
    )
    monkeypatch.chdir("scenarios")
    assert did_you_mean_file("brief.yaml", "agents") == "; did you mean '../agents/brief.yaml'?"


def test_a_beginning_of_three_letters_or_more_is_enough() -> None:
    assert closest_match("sma", ["large-1c0ffee2", "small-0badcafe"]) == "small-0badcafe"
    assert closest_match("sm", ["small-0badcafe"]) is None
    assert did_you_mean("1c0f", ["1c0e"], cutoff=0.85) == ""
    assert did_you_mean("scroes", ["scores"], display="@{}".format) == "; did you mean '@scores'?"
