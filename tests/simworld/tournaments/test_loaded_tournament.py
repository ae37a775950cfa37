"""What a tournament file may say, and what is said about one that cannot be played: everything at
once, each with its place."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from simworld.core.errors import InputError
from simworld.tournaments.loaded_tournament import load_tournament, shipped_tournaments
from simworld.tournaments.tournament_file import tournament_schema_text
from simworld.tournaments.tournament_plan import plan_matches, plan_tournament, same_partners
from simworld.yamlfile import load_yaml
from tests.factories.tournaments import tournament, write

SHIPPED = Path(__file__).parents[3] / "tournaments" / "small.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def problems(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(InputError) as found:
        load_tournament(str(path))
    return [str(problem).removeprefix(f"{path}:") for problem in found.value.problems]


def test_the_shipped_tournament_fits_the_schema_and_can_be_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped_tournaments() == ("small",)
    jsonschema.validate(load_yaml(SHIPPED).data, json.loads(tournament_schema_text()))
    made = load_tournament("small")
    assert made.file == load_tournament(str(SHIPPED)).file  # in a checkout it also has a path
    assert len(made.agents) == 4
    # two seats, one cast shared
    assert len(plan_tournament(made, plan_matches(made)).seatings()) == len(made.scenarios) * 7
    assert len({scenario.family for scenario in made.scenarios}) == 6


def test_a_file_here_goes_before_the_shipped_one_of_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tournament(folder)
    (folder / "cup.yaml").rename(folder / "small.yaml")
    monkeypatch.chdir(folder)
    assert load_tournament("small").name == "cup"


def test_the_committed_schema_is_that_of_the_code() -> None:
    assert SHIPPED.with_name("tournament.schema.json").read_text() == tournament_schema_text()


def test_names_beside_the_file_go_first_wherever_one_works(folder: Path) -> None:
    made = tournament(folder, "anchor: ben.yaml", scenarios="[k*.yaml, k1.yaml]")
    assert made.agents == ("ada", "ben", "cyn", "dov")
    assert made.anchor == "ben"
    assert len(made.scenarios) == 6


@pytest.mark.parametrize(
    "pattern",
    ["{here}/k*.yaml", "k**.yaml", "**/k*.yaml", "./k*.yaml", "{here}/**/k?.yaml", "*/../k*"],
)
def test_scenarios_by_a_pattern_beside_the_file(folder: Path, pattern: str) -> None:
    (folder / "sub").mkdir()
    assert len(tournament(folder, scenarios=f"['{pattern.format(here=folder)}']").scenarios) == 6


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("/nowhere/s*.yaml", "/nowhere/s*.yaml: no YAML file matches"),
        ("z**.yaml", "z**.yaml: no YAML file matches"),
        ("[k1.yaml", "[k1.yaml: no YAML file matches"),
        ("z" * 5000 + "*.yaml", "z" * 5000 + "*.yaml: no YAML file matches"),
        ("//*/*[", "//*/*[: no YAML file matches"),
    ],
    ids=lambda text: text[:20],
)
def test_a_pattern_that_matches_nothing_is_one_line_with_its_place(
    folder: Path, pattern: str, message: str
) -> None:
    text = f"name: cup\nagents: [ada.yaml, ben.yaml]\nself_play: true\nscenarios: ['{pattern}']\n"
    (line,) = problems(folder / "cup.yaml", text)
    assert line == f"4:13: scenarios.0: {message}"


def test_all_problems_at_once(folder: Path) -> None:
    found = problems(
        folder / "cup.yaml",
        "name: cup\nagents: [ada.yaml, bne.yaml, smol-scrip]\nscenarios: [k9.yaml,"
        " tag:nothing]\nformat: focal\njudges: [nope]\nanchor: zoe\nrounds: 3\ntie: 2.0\n",
    )
    places = ["2:20", "2:30", "3:13", "3:22", "4:9", "5:10", "6:9", "7:9", "8:6"]
    assert [":".join(line.split(":")[:2]) for line in found] == places
    assert any("did you mean 'smol-script'" in line for line in found)
    assert any("focal needs `focal`" in line for line in found)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("agents: [ada.yaml]", "2:9: agents: one agent is given; a tournament needs at least two"),
        ("agents: []", "2:9: agents: expected at least 1 entry"),
        (
            "repeats: 1000000000",
            "4:10: repeats: expected at most 100000, found the number 1000000000",
        ),
        ("agents: [ada.yaml, ada.yaml]", "2:20: agents.1: 'ada.yaml' is named twice"),
        (
            "agents: [ada.yaml, twin.yaml]",
            "'ada' and 'twin' are the same agent under two names; leave one out",
        ),
        ("agents: [ada.yaml, me.yaml]", "'me' is a person; a tournament plays by itself"),
        ("self_play: false", "two agents never meet the same partner without it"),
        (
            "format: focal\nfocal: ada\nself_play: false",
            "self_play: two agents never meet the same partner without it",
        ),
        ("scenarios: [k9*.yaml]", "3:13: scenarios.0: "),
        ("tie: .nan", "4:6: tie:"),
        ("tie: measured", "judge 'fake' takes one sample, so nothing is measured; give a number"),
        ("tie: 1.5", "found 1.5, expected a share of the range between 0 and 1, or 'measured'"),
        ("dimensions: [goa]", "no dimension 'goa'; did you mean 'goal'?"),
        ("format: swiss", "swiss needs `rounds`"),
        ("format: fixed_partner", "fixed_partner needs `partners`"),
        (
            "format: swiss\nrounds: 7",
            "found 7, expected at most half as many as agents (1); else use round_robin",
        ),
        ("budget: {episodes: 0}", "budget.episodes: expected at least 1, found the number 0"),
    ],
)
def test_one_line_says_what_is_wrong(folder: Path, changed: str, message: str) -> None:
    (folder / "twin.yaml").write_text(
        (folder / "ada.yaml").read_text().replace("name: ada", "name: twin")
    )
    (folder / "me.yaml").write_text("name: me\nkind: human\n")
    lines = {"agents": "agents: [ada.yaml, ben.yaml]", "scenarios": "scenarios: [k1.yaml]"}
    key, _, rest = changed.partition(":")
    lines = {"name": "name: cup", **lines, key: f"{key}:{rest}", "judges": "judges: [fake.yaml]"}
    found = problems(folder / "cup.yaml", "\n".join(lines.values()) + "\n")
    assert len(found) == 1, found
    assert message in found[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "format: focal\nfocal: ada\nself_play: false",
            "nobody meets the partners of the focal agent without it",
        ),
        (
            "format: swiss\nrounds: 1\nself_play: false",
            "two agents never meet the same partner without it",
        ),
    ],
)
def test_formats_in_which_nobody_could_be_compared(
    folder: Path, settings: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tournament(folder, settings)
    assert tournament(folder, settings.replace("false", "true")).agents == (
        "ada",
        "ben",
        "cyn",
        "dov",
    )
    fixed = "format: fixed_partner\npartners: [dov.yaml]\nself_play: false"
    assert tournament(folder, fixed, agents=("ada", "ben")).agents == ("ada", "ben")


@pytest.mark.parametrize(
    ("settings", "scenarios", "same"),
    [
        ("", "[k*.yaml]", True),
        ("self_play: false", "[k*.yaml]", False),
        ("", "[k0.yaml, t0.yaml]", False),
        ("format: fixed_partner\npartners: [ada.yaml]", "[k0.yaml, t0.yaml]", True),
        ("format: focal\nfocal: ada", "[k*.yaml]", False),
        ("format: swiss\nrounds: 2", "[k*.yaml]", False),
    ],
)
def test_where_all_meet_the_same_partners(
    folder: Path, settings: str, scenarios: str, same: bool
) -> None:
    write(folder, tables=1)
    assert same_partners(tournament(folder, settings, scenarios=scenarios)) == same


def test_ties_are_measured_where_the_judge_is_asked_twice(folder: Path) -> None:
    assert tournament(folder).tie == 0.0
    with (folder / "fake.yaml").open("a") as file:
        file.write("samples: 2\n")
    assert tournament(folder).tie == "measured"
    assert tournament(folder, "tie: 0.1").tie == 0.1


def test_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tournament(folder)
    monkeypatch.chdir(folder)
    assert load_tournament("cup").name == "cup"
    message = (
        r"no tournament 'zzz': neither zzz.yaml nor tournaments/zzz.yaml is here; the library has"
        r" small"
    )
    with pytest.raises(InputError, match=message):
        load_tournament("zzz")
    with pytest.raises(InputError, match=r"is here; did you mean 'cup.yaml'\?"):
        load_tournament("cap")
    with pytest.raises(
        InputError, match=r"no tournament file zzz.yaml; `simworld tournament new NAME` writes one"
    ):
        load_tournament("zzz.yaml")


@pytest.mark.parametrize("name", ["league.yaml", "leauge.yaml", "leauge", "nowhere/league.yaml"])
def test_a_tournament_in_a_folder_is_meant(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tournaments").mkdir()
    (tmp_path / "tournaments" / "league.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"; did you mean 'tournaments/league.yaml'\?$"):
        load_tournament(name)
