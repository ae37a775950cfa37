"""Finding scenarios by name, file, folder, glob, tag and kind; and what the library, the
held-out set and the test set promise."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from scenarios import find_scenarios
from scenarios.loader import LoadedScenario, load_document
from scenarios.personas import PersonaFinder
from scenarios.selection import read_files, read_folder, scenario_files
from scenarios.shipped_folders import (
    EXAM_FOLDER,
    HELDOUT_FOLDER,
    LANGUAGES_FOLDER,
    LIBRARY_FOLDER,
    PERSONAS_FOLDER,
)
from simworld.core.errors import InputError
from simworld.core.scenario import Limits, Relationship, Scenario, TurnOrder
from simworld.language import language_codes
from simworld.yamlfile import load_yaml

TEXT = """\
name: {name}
setting: S
tags: [mine]
seats:
  - {{name: a, persona: {{name: Ann}}, goal: G}}
  - {{name: b, persona: {{name: Bo}}, goal: "{goal}"}}
{more}
"""
EXAM_TEXTS = Path(__file__).parent / "exam_texts.json"
MATRIX = "parameters: {p: 1}\nmatrix: {p: [1, 2]}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub" / "personas").mkdir(parents=True)
    (tmp_path / "one.yaml").write_text(TEXT.format(name="one", goal="H", more=""))
    (tmp_path / "sub" / "two.yml").write_text(TEXT.format(name="two", goal="{{p}}", more=MATRIX))
    (tmp_path / "sub" / "personas" / "cy.yaml").write_text("name: Cy\n")
    return tmp_path


def names(*selectors: str) -> list[str]:
    return [loaded.scenario.name for loaded in find_scenarios(selectors)]


def test_a_variant_of_an_own_file_is_found_by_its_name(folder: Path) -> None:
    (folder / "two.yaml").write_text(TEXT.format(name="two", goal="{{p}}", more=MATRIX))
    first, second = names("two")
    assert names(first) == [first]
    assert names(second, first) == [second, first]
    (folder / "sub" / "two.yml").rename(folder / "sub" / "two.yaml")
    assert names(f"sub/{second}") == [second]
    (line,) = lines(f"{first}0")
    assert line.startswith(f"two.yaml: no variant '{first}0' in this file; did you mean '")


def lines(*selectors: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        find_scenarios(selectors)
    return str(caught.value).split("\n")


@pytest.mark.usefixtures("folder")
def test_files_folders_globs_and_names() -> None:
    assert names("one.yaml") == names("./one.yaml") == names("one") == ["one"]
    assert names("sub") == ["two.p-1", "two.p-2"]
    assert names(".") == ["one", "two.p-1", "two.p-2"]
    assert names("**/*.yml", "one.yaml") == ["two.p-1", "two.p-2", "one"]
    assert names("one", "one.yaml", ".") == ["one", "two.p-1", "two.p-2"]  # each once
    assert names("last-concert-ticket", "one") == ["last-concert-ticket", "one"]


def test_names_of_the_library_their_globs_variants_tags_and_kinds() -> None:
    library = read_folder(LIBRARY_FOLDER)
    everything = [loaded.scenario.name for loaded in library]
    assert names("all") == names("library") == everything
    assert names("last-*") == [name for name in everything if name.startswith("last-")]
    template = next(
        loaded.template for loaded in library if loaded.template != loaded.scenario.name
    )
    variants = [loaded.scenario.name for loaded in library if loaded.template == template]
    assert names(template) == variants
    assert names(variants[0]) == [variants[0]]
    assert set(names("kind:bargaining")) == {
        s.scenario.name for s in library if s.scenario.kind == "bargaining"
    }
    assert set(names("tag:price")) == {
        s.scenario.name for s in library if "price" in s.scenario.tags
    }


def test_the_held_out_set_is_named_whole_or_one_by_one_and_never_by_accident() -> None:
    heldout = [loaded.scenario.name for loaded in read_folder(HELDOUT_FOLDER)]
    assert names("heldout") == heldout
    assert names("heldout", heldout[0], "all") == [*heldout, *names("all")]  # each once
    assert names(heldout[3]) == [heldout[3]]
    assert not set(heldout) & set(names("all", "*", "kind:bargaining", "tag:price"))
    assert lines("kind:giving-news")[0].startswith(
        "no scenario of the library is of the kind 'giving-news'"
    )
    assert lines("the-numb-han") == [
        "no file, folder or library scenario 'the-numb-han'; did you mean 'the-numb-hand'?"
    ]


def test_the_test_set_is_named_whole_or_one_by_one_and_never_by_accident() -> None:
    scenarios = [loaded.scenario for loaded in read_folder(EXAM_FOLDER)]
    exam = [scenario.name for scenario in scenarios]
    assert names("exam") == exam
    assert names("exam", exam[0], "all") == [*exam, *names("all")]  # each once
    assert names(exam[3]) == [exam[3]]
    kinds = [f"kind:{kind}" for kind in sorted({scenario.kind for scenario in scenarios})]
    found = names("all", "library", "heldout", "languages", "*", *kinds, "tag:price", "tag:couple")
    assert not set(exam) & set(found)
    assert names("exam*") == ["exam-in-the-drawer"]  # of the library
    assert lines("half-a-mar") == [
        "no file, folder or library scenario 'half-a-mar'; did you mean 'half-a-mark'?"
    ]


@pytest.mark.usefixtures("folder")
def test_a_folder_called_exam_is_meant_by_its_path_alone() -> None:
    Path("sub").rename("exam")
    assert names("./exam") == ["two.p-1", "two.p-2"]
    assert len(names("exam")) == 40


@pytest.mark.usefixtures("folder")
def test_a_file_of_ones_own_goes_before_the_held_out_scenario_of_its_name() -> None:
    Path("the-numb-hand.yaml").write_text(TEXT.format(name="the-numb-hand", goal="H", more=""))
    (loaded,) = find_scenarios(["the-numb-hand"])
    assert loaded.scenario.setting == "S"


@pytest.mark.usefixtures("folder")
def test_every_mistake_at_once() -> None:
    assert lines(
        "last-concert-tiket", "tag:pric", "kind:bargening", "on.yaml", "nowhere/x", "*.nope.yaml"
    ) == [
        (
            "no file, folder or library scenario 'last-concert-tiket'; did you mean"
            " 'last-concert-ticket'?"
        ),
        "no scenario of the library has the tag 'pric'; did you mean 'price'?",
        "no scenario of the library is of the kind 'bargening'; did you mean 'bargaining'?",
        "on.yaml: no such file or folder; did you mean 'one.yaml'?",
        "nowhere/x: no such file or folder",
        "*.nope.yaml: no YAML file matches",
    ]
    assert lines("zzzzzz") == [
        "no file, folder or library scenario 'zzzzzz'; `simworld scenario list` shows the library"
    ]
    assert lines("x" * 5_000)[0].startswith("no file, folder or library scenario 'xxx")
    assert lines("a\0b") == ["a file's name cannot hold a NUL character"]
    assert lines() == ["name a scenario, a file or a folder; 'all' is the whole library"]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.yaml").write_text("name: x")
    (tmp_path / "notes.txt").write_text("x")
    assert lines(str(tmp_path)) == [f"{tmp_path}: no YAML file in this folder"]


def test_two_files_with_one_name_clash(folder: Path) -> None:
    (folder / "other.yaml").write_text(TEXT.format(name="one", goal="Z", more=""))
    assert lines(".") == [
        "other.yaml:1:7: name: 'one' is already the name of the scenario in one.yaml"
    ]
    assert names("one.yaml") == ["one"]


def test_persona_files_are_known_by_folder_or_by_fields(folder: Path) -> None:
    (folder / "di.yaml").write_text("name: Di\nage: 3\n")
    selection = read_files(scenario_files(folder), PersonaFinder())
    assert (selection.file_count, selection.persona_count, selection.problems) == (2, 2, [])
    (folder / "di.yaml").write_text("name: Di\nage: three\n")
    (problem,) = read_files(scenario_files(folder), PersonaFinder()).problems
    assert (
        str(problem)
        == f"{folder / 'di.yaml'}:2:6: age: expected a whole number, found the text 'three'"
    )


def test_personas_alone_are_no_selection(folder: Path) -> None:
    assert lines("sub/personas/cy.yaml") == ["sub/personas/cy.yaml: holds personas but no scenario"]
    assert lines("sub/personas") == ["sub/personas: holds personas but no scenario"]
    assert names("sub", "sub/two.yml") == ["two.p-1", "two.p-2"]


def test_where_personas_came_from() -> None:
    (loaded,) = find_scenarios(["last-concert-ticket"])
    assert loaded.path == LIBRARY_FOLDER / "last-concert-ticket.yaml"
    assert loaded.persona_files["seller"] == PERSONAS_FOLDER / "nadia-brandt.yaml"


def test_the_working_folder_cannot_change_a_library_scenario(folder: Path) -> None:
    (folder / "personas").mkdir()
    (folder / "personas" / "nadia-brandt.yaml").write_text("name: Somebody Else\n")
    (loaded,) = find_scenarios(["last-concert-ticket"])
    assert loaded.scenario.seat("seller").persona.name == "Nadia Brandt"
    (loaded,) = find_scenarios(["no-invitation-came"])
    assert loaded.scenario.seat("left-out-friend").persona.name == "Nadia Brandt"
    (loaded,) = find_scenarios(["nineteen-letters"])
    assert loaded.scenario.seat("sound-engineer").persona.name == "Nadia Brandt"


def test_the_library_is_as_large_and_varied_as_promised() -> None:
    library = [loaded.scenario for loaded in read_folder(LIBRARY_FOLDER)]
    files = {loaded.path for loaded in read_folder(LIBRARY_FOLDER)}
    assert len(files) >= 30
    assert len(Counter(scenario.kind for scenario in library)) >= 8
    assert "" not in {scenario.kind for scenario in library}
    assert any(len(scenario.seats) >= 3 for scenario in library)
    assert len(list(PERSONAS_FOLDER.glob("*.yaml"))) >= 24
    assert read_files(scenario_files(PERSONAS_FOLDER), PersonaFinder()).problems == []
    assert len({scenario.id for scenario in library}) == len(library)


@pytest.mark.parametrize(
    "path",
    [*scenario_files(HELDOUT_FOLDER), *scenario_files(EXAM_FOLDER)],
    ids=lambda path: path.stem,
)
def test_a_held_out_scenario_is_short_for_two_and_of_no_family_of_the_library(path: Path) -> None:
    (loaded,) = load_document(load_yaml(path), path, PersonaFinder())
    scenario, library = loaded.scenario, library_once()
    assert scenario.name == scenario.family == path.stem
    assert scenario.family not in {other.scenario.family for other in library}
    assert scenario.name not in {
        name for other in library for name in (other.scenario.name, other.template)
    }
    assert scenario.setting not in {other.scenario.setting for other in library}
    assert len(scenario.seats) == 2
    assert all(seat.goal and seat.knows and seat.secret for seat in scenario.seats)
    assert (scenario.order, scenario.limits) == (TurnOrder.round_robin, Limits(turns=8, silence=2))


@functools.cache
def library_once() -> tuple[LoadedScenario, ...]:
    """The library, read once for all the files that are held against it."""
    return read_folder(LIBRARY_FOLDER)


def test_there_is_a_scenario_in_every_language_but_english() -> None:
    found = [loaded.scenario for loaded in read_folder(LANGUAGES_FOLDER)]
    assert sorted(scenario.language for scenario in found) == [
        code for code in language_codes() if code != "en"
    ]
    assert names("languages") == [scenario.name for scenario in found]
    assert names("night-market-stall") == ["night-market-stall"]
    assert not {scenario.name for scenario in found} & set(
        names("all", "heldout", "exam", "*", "tag:price", "kind:bargaining")
    )
    shipped = (
        *read_folder(LIBRARY_FOLDER),
        *read_folder(HELDOUT_FOLDER),
        *read_folder(EXAM_FOLDER),
    )
    everything = [*found, *(loaded.scenario for loaded in shipped)]
    assert (
        len({scenario.family for scenario in everything})
        == len({s.family for s in everything[6:]}) + 6
    )
    for scenario in found:
        assert all(seat.goal and seat.knows and seat.secret for seat in scenario.seats)
        assert {"keyword"} <= {check.kind.value for check in scenario.checks}
        assert scenario.title


def test_the_held_out_set_is_as_large_and_varied_as_promised() -> None:
    heldout = [loaded.scenario for loaded in read_folder(HELDOUT_FOLDER)]
    kinds = Counter(scenario.kind for scenario in heldout)
    assert len(heldout) == len({scenario.family for scenario in heldout}) == 32
    assert len(kinds) == 10
    assert set(kinds.values()) == {3, 4}
    assert len({scenario.id for scenario in heldout}) == 32


def test_the_test_set_is_as_large_and_varied_as_promised() -> None:
    exam = [loaded.scenario for loaded in read_folder(EXAM_FOLDER)]
    assert len(exam) == len({scenario.family for scenario in exam}) == 40
    kinds = {loaded.scenario.kind for loaded in read_folder(LIBRARY_FOLDER)}
    assert Counter(scenario.kind for scenario in exam) == dict.fromkeys(kinds, 4)
    assert len(kinds) == 10
    pairs = [[seat.persona.name for seat in scenario.seats] for scenario in exam]
    assert all(len(set(pair)) == 2 for pair in pairs)
    assert set(Counter(name for pair in pairs for name in pair).values()) == {2, 3}
    assert {s.relationship(*(seat.name for seat in s.seats)) for s in exam} == set(Relationship)
    assert all(scenario.title and scenario.judge_note for scenario in exam)
    assert {scenario.language for scenario in exam} == {"en"}


def test_no_text_of_the_test_set_stands_anywhere_else() -> None:
    exam = [loaded.scenario for loaded in read_folder(EXAM_FOLDER)]
    others = [
        *read_folder(LIBRARY_FOLDER),
        *read_folder(HELDOUT_FOLDER),
        *read_folder(LANGUAGES_FOLDER),
    ]
    ours = [text for scenario in exam for text in own_texts(scenario)]
    assert max(Counter(ours).values()) == 1
    assert not set(ours) & {text for other in others for text in own_texts(other.scenario)}
    taken = {
        name
        for other in others
        for name in (other.scenario.name, other.template, other.scenario.family)
    }
    assert not taken & {scenario.name for scenario in exam}
    settings = [set(words(scenario.setting)) for scenario in exam]
    everywhere = [*settings, *(set(words(other.scenario.setting)) for other in others)]
    for i, setting in enumerate(settings):
        for other in everywhere[i + 1 :]:
            assert len(setting & other) / len(setting | other) < 0.3


def test_nobody_edits_the_test_set_unseen() -> None:
    """Results on one text say nothing of another: this file changes only with a new test set."""
    assert exam_texts() == json.loads(EXAM_TEXTS.read_text("utf-8"))


def exam_texts() -> dict[str, list[str]]:
    """Each scenario's id, and 16 hex digits over what a judge reads besides."""
    return {
        loaded.scenario.name: [
            loaded.scenario.id,
            hashlib.sha256(
                f"{loaded.scenario.rubric}\n{loaded.scenario.judge_note}".encode()
            ).hexdigest()[:16],
        ]
        for loaded in read_folder(EXAM_FOLDER)
    }


def own_texts(scenario: Scenario) -> list[str]:
    """What is written for this scenario alone."""
    seats = [text for seat in scenario.seats for text in (seat.goal, seat.knows, seat.secret)]
    return [scenario.title, scenario.setting, scenario.judge_note, *seats]


def words(text: str) -> list[str]:
    return [word.strip(".,;:'?!").lower() for word in text.split()]


@pytest.mark.usefixtures("folder")
def test_a_broken_persona_of_several_scenarios_is_told_once_with_the_files_that_use_it() -> None:
    Path("personas").mkdir()
    Path("personas/bo.yaml").write_text("name: Bo\noccupaton: baker\n")
    for name in "xyz":
        text = (
            "setting: S\nseats:\n  - {name: a, persona: bo, goal: G}\n  - {name: b, persona: bo,"
            " goal: G}\n"
        )
        Path(f"{name}.yaml").write_text(f"name: {name}\n{text}")
    own = "personas/bo.yaml:2:1: occupaton: unknown field; did you mean 'occupation'?"
    seat = (
        "x.yaml:4:24: seats.0.persona: the persona's file personas/bo.yaml has problems of its own"
    )
    assert lines("x.yaml", "y.yaml", "z.yaml") == [own, f"{seat}; y.yaml and z.yaml use it too"]
    assert lines("x.yaml", "y.yaml") == [own, f"{seat}; y.yaml uses it too"]
    assert lines("x.yaml") == [own, seat]
    selection = read_files(
        [Path("x.yaml"), Path("personas/bo.yaml"), Path("z.yaml")], PersonaFinder()
    )
    assert [*map(str, selection.problems)] == [own, f"{seat}; z.yaml uses it too"]


@pytest.mark.usefixtures("folder")
def test_a_scenario_in_a_folder_below_is_meant() -> None:
    Path("scenarios").mkdir()
    Path("scenarios/late-train.yaml").write_text("")
    assert lines("late-train.yaml") == [
        "late-train.yaml: no such file or folder; did you mean 'scenarios/late-train.yaml'?"
    ]
    assert lines("late-trian")[0].endswith("; did you mean 'scenarios/late-train.yaml'?")
