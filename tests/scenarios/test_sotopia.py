"""The importer of Sotopia's files: by hand on a small folder, and word for word on the real one
where it is at hand."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scenarios import import_sotopia, load_scenario
from scenarios.personas import PersonaFinder
from scenarios.selection import read_files, scenario_files
from scenarios.sotopia_markup import MarkupError, read_markup
from simworld.core.errors import InputError
from simworld.core.scenario import Limits, Relationship
from tests.factories.sotopia import ANN, ENVIRONMENT, write

REAL = Path(
    os.environ.get("SIMWORLD_SOTOPIA") or Path(__file__).parents[2].parent / "shared/data/sotopia"
)
needs_real = pytest.mark.skipif(
    not (REAL / "environments.json").is_file(),
    reason="Sotopia's files are not at hand; SIMWORLD_SOTOPIA names their folder",
)

NAMES = ("environments.json", "agents.json", "environment_agent_combos.json")


def lines(source: Path, out: Path, **options: bool) -> list[str]:
    with pytest.raises(InputError) as caught:
        import_sotopia(source, out, **options)
    return str(caught.value).replace(f"{source}/", "").split("\n")


def test_every_field_finds_its_place(tmp_path: Path) -> None:
    done = import_sotopia(write(tmp_path / "in"), tmp_path / "out")
    assert (done.scenarios, done.personas, done.families) == (1, 2, 1)
    path = tmp_path / "out" / "borrow-money-01env-01ann-01bob.yaml"
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.yaml")) == [
        "ann-ohara.yaml",
        "bo-li.yaml",
        path.name,
    ]
    (scenario,) = load_scenario(path)
    assert scenario.setting == "Two friends at a party."
    assert scenario.judge_note == "One is broke."
    assert scenario.family == "01ENV"
    assert scenario.kind == "hand-craft"
    assert scenario.title == "borrow money"
    assert scenario.relationship("person-1", "person-2") is Relationship.friend
    assert scenario.limits == Limits(turns=20, silence=2)
    first, second = scenario.seats
    assert first.goal == "Borrow money"
    assert first.knows == "Extra information: you need $3000.\nStrategy hint: be nice."
    assert first.secret == "Has a twin"
    assert second.goal == "Keep your money"
    assert second.knows == "Clarification hint: you have $2000.\nYou saw them."
    assert second.secret == ""
    ann = first.persona
    assert (ann.name, ann.display_name, ann.age, ann.occupation) == (
        "Ann O'Hara",
        "Ann",
        45,
        "Architect",
    )
    assert (ann.gender, ann.pronouns, ann.public) == ("woman", "she/her", "Ann paints.")
    assert (
        ann.personality
        == "Ann is meticulous. Big five: Openness to Experience - Low. Decision making: Analytical."
        " Type: ESTJ."
    )
    assert ann.values == "Moral values: Care, Loyalty. Personal values: Conformity."
    assert scenario.meta == {
        "origin": "Sotopia", "combo": "01COMBO", "environment": "01ENV", "codename": "borrow_money", "source": "hand-craft",
        "age_constraint": "[(18, 70), (18, 70)]", "person-1": "01ANN", "person-1.model_id": "m1", "person-2": "01BOB",
        "person-2.tag": "extra",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a <extra_info>b", "<extra_info> is not closed"),
        ("a </extra_info>", "</extra_info> closes nothing"),
        ("<p viewer='environment'><extra_info>b</p></extra_info>", "</p> inside <extra_info>"),
        (
            "<p viewer='agent_2'>b</p>",
            "unknown viewer 'agent_2'; expected environment, all or agent_0 to agent_1",
        ),
        (
            "<p viewer='nobody'>b</p>",
            "unknown viewer 'nobody'; expected environment, all or agent_0 to agent_1",
        ),
    ],
)
def test_markup_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(MarkupError) as caught:
        read_markup(text, 2)
    assert str(caught.value) == message


def test_markup_is_sorted_by_reader() -> None:
    parts = read_markup(
        'A (<extra_info>x</extra_info>) <b>stays</b> 1 < 2 <p viewer="agent_0, agent_1">y</p><p'
        ' viewer="all">z</p>',
        2,
    )
    assert parts.text == "A <b>stays</b> 1 < 2 z"
    assert parts.knows == [(None, "Extra information: x"), (0, "y"), (1, "y")]
    assert parts.judge == []


def test_unknown_ids_shapes_and_markup_are_reported_at_once(tmp_path: Path) -> None:
    environment = {"01ENV": {**ENVIRONMENT, "relationship": 9, "codename": 5}}
    agents = {"01ANN": ANN, "01BOB": {"first_name": 3}}
    source = write(tmp_path / "in", environment, agents, [{"env_id": "01ENV"}])
    assert lines(source, tmp_path / "out") == [
        "environments.json: 01ENV.codename: expected text, found the number 5; put it in quotes",
        "environments.json: 01ENV.relationship: expected at most 5, found the number 9",
        "agents.json: 01BOB.first_name: expected text, found the number 3; put it in quotes",
        "environment_agent_combos.json: 0.agent_ids: required field is missing",
    ]
    combos = [
        {"env_id": "01NOT", "agent_ids": ["01ANN", "01WHO"]},
        {"env_id": "01ENV", "agent_ids": ["01ANN"] * 3},
    ]
    assert lines(write(tmp_path / "in", combos=combos), tmp_path / "out") == [
        "environment_agent_combos.json: 0.env_id: no environment '01NOT' in environments.json",
        "environment_agent_combos.json: 0.agent_ids.1: no agent '01WHO' in agents.json",
        (
            "environment_agent_combos.json: 1.agent_ids: expected 2 agents, one for each goal of"
            " 01ENV, found 3"
        ),
    ]
    broken = {
        "01ENV": {
            **ENVIRONMENT,
            "scenario": "<p viewer='environment'>x",
            "agent_goals": ["()", "b"],
        }
    }
    assert lines(write(tmp_path / "in", broken), tmp_path / "out") == [
        "environments.json: 01ENV.scenario: <p> is not closed",
        "environments.json: 01ENV.agent_goals.0: is empty",
    ]
    assert not (tmp_path / "out").exists()


def test_malformed_json(tmp_path: Path) -> None:
    source = write(tmp_path / "in")
    (source / "environments.json").write_text('{"a": 1,\n}')
    (source / "agents.json").write_text('{"a": 1, "a": 2}')
    (source / "environment_agent_combos.json").write_bytes(b"\x89PNG")
    found = lines(source, tmp_path / "out")
    assert found[0].startswith("environments.json:")
    assert "not valid JSON" in found[0]
    assert found[1:] == [
        "agents.json: not valid JSON: the key 'a' occurs twice in one object",
        (
            "environment_agent_combos.json: is not UTF-8 text: byte 0x89 in line 1; save the file"
            " as UTF-8"
        ),
    ]
    for name in NAMES:
        (source / name).write_text("[" * 100_000)
    assert lines(source, tmp_path / "out") == [
        f"{name}: not valid JSON: nested too deeply" for name in NAMES
    ]
    for name in NAMES:
        (source / name).unlink()
    assert lines(source, tmp_path / "out") == [
        "environments.json: no such file",
        "agents.json: no such file",
        "environment_agent_combos.json: no such file",
    ]
    with pytest.raises(InputError, match="no such folder"):
        import_sotopia(tmp_path / "nowhere", tmp_path / "out")


SLOTS = "{{x}} {{{y}}} {{ {{brace}} {% z %} {x} $x ${x} %s %(x)s {0} {{"


def test_what_looks_like_a_slot_is_text(tmp_path: Path) -> None:
    environment = ENVIRONMENT | {
        "scenario": f"Two friends. {SLOTS}",
        "agent_goals": [f"Borrow {SLOTS}", f"Keep {SLOTS} (<extra_info>{SLOTS}</extra_info>)"],
        "occupation_constraint": SLOTS,
    }
    ann = ANN | dict.fromkeys(
        ("first_name", "occupation", "public_info", "secret", "big_five"), f"Ann {SLOTS}"
    )
    bo = {"pk": "01BOB", "first_name": "Bo", "last_name": "Li", "secret": SLOTS}
    import_sotopia(
        write(tmp_path / "in", {"01ENV": environment}, {"01ANN": ann, "01BOB": bo}),
        tmp_path / "out",
    )
    selection = read_files(scenario_files(tmp_path / "out"), PersonaFinder())
    assert selection.problems == []
    (loaded,) = selection.scenarios
    scenario = loaded.scenario
    first, second = scenario.seats
    assert scenario.setting == f"Two friends. {SLOTS}"
    assert (first.goal, second.goal) == (f"Borrow {SLOTS}", f"Keep {SLOTS}")
    assert second.knows.endswith(SLOTS)
    assert (first.secret, second.secret) == (f"Ann {SLOTS}", SLOTS)
    assert first.persona.name == f"Ann {SLOTS} O'Hara"
    assert (first.persona.occupation, first.persona.public) == (f"Ann {SLOTS}", f"Ann {SLOTS}")
    assert scenario.meta["occupation_constraint"] == SLOTS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a \x07 bell", "environments.json: 01ENV.scenario: control character U+0007"),
        ("a \x00 nothing", "environments.json: 01ENV.scenario: control character U+0000"),
        ("half \ud83d", "environments.json: 01ENV.scenario: half of a surrogate pair"),
        (
            "x" * 50_001,
            "environments.json: 01ENV.scenario: 50,001 characters; at most 50,000 are read",
        ),
    ],
    ids=lambda text: text[:12],
)
def test_what_no_scenario_can_hold_is_refused_before_anything_is_written(
    tmp_path: Path, text: str, says: str
) -> None:
    source = write(tmp_path / "in", {"01ENV": ENVIRONMENT | {"scenario": text}})
    assert lines(source, tmp_path / "out") == [says]
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_needs_force(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in"), tmp_path / "out"
    import_sotopia(source, out)
    before = {path: path.read_bytes() for path in out.rglob("*.yaml")}
    assert lines(source, out) == [f"{out}: the folder is not empty; name another, or use --force"]
    assert import_sotopia(source, out, force=True).scenarios == 1
    assert {path: path.read_bytes() for path in out.rglob("*.yaml")} == before
    assert lines(source, source / "agents.json") == ["agents.json: is a file; --out names a folder"]


@needs_real
def test_all_of_the_real_data_imports_and_passes_the_check(tmp_path: Path) -> None:
    done = import_sotopia(REAL, tmp_path / "out")
    combos = json.loads((REAL / "environment_agent_combos.json").read_text(encoding="utf-8"))
    assert done.scenarios == len(combos)
    selection = read_files(scenario_files(tmp_path / "out"), PersonaFinder())
    assert selection.problems == []
    assert len(selection.scenarios) == len(combos)
    assert len({loaded.scenario.family for loaded in selection.scenarios}) == done.families


@needs_real
def test_no_word_of_the_real_data_is_lost_and_no_private_word_becomes_public(
    tmp_path: Path,
) -> None:
    import_sotopia(REAL, tmp_path / "out")
    environments, agents, combos = (
        json.loads((REAL / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("environments", "agents", "environment_agent_combos")
    )
    selection = read_files(scenario_files(tmp_path / "out"), PersonaFinder())
    by_combo = {loaded.scenario.meta["combo"]: loaded.scenario for loaded in selection.scenarios}
    for combo in combos:
        scenario = by_combo[combo["pk"]]
        environment = environments[combo["env_id"]]
        for goal, agent, seat in zip(
            environment["agent_goals"], combo["agent_ids"], scenario.seats, strict=True
        ):
            assert words(goal) - words(f"{seat.goal} {seat.knows}") == Counter()
            person = {
                key: value for key, value in agents[agent].items() if key not in ("pk", "model_id")
            }
            persona = seat.persona
            kept = " ".join(
                map(str, (persona.name, persona.age, persona.gender, persona.pronouns, persona.occupation, persona.public,
                          persona.personality, persona.values, seat.secret))
            )  # fmt: skip
            assert words(flat(person)) - words(kept) == Counter()
            private = re.findall(r"<p viewer=.environment.>(.*?)</p>", environment["scenario"])
            assert not any(text in scenario.setting for text in private)
        assert (
            words(environment["scenario"]) - words(f"{scenario.setting} {scenario.judge_note}")
            == Counter()
        )
        constraints = [
            v for k, v in environment.items() if k.endswith("constraint") and v not in (None, "nan")
        ]
        meta = " ".join(scenario.meta.values())
        rest = flat(
            [environment["pk"], environment["codename"], environment["source"], constraints, combo]
        )
        assert words(rest) - words(f"{meta} {flat(combo)}") == Counter()
        assert all(
            value in scenario.meta.values()
            for value in [combo["pk"], combo["env_id"], *combo["agent_ids"]]
        )


def words(text: str) -> Counter[str]:
    text = re.sub(r"</?[a-z_]+[^>]*>", " ", text)
    return Counter(re.findall(r"[\w$']+", text.casefold()))


def flat(data: Any) -> str:
    if isinstance(data, dict):
        return flat(list(data.values()))
    return " ".join(map(flat, data)) if isinstance(data, list) else str(data)
