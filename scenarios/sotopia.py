"""The importer of Sotopia's JSON: one scenario for each pair in an environment, one persona for
each character, nothing lost.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.scenario_file import SLUG
from scenarios.sotopia_files import (
    ENVIRONMENTS,
    SotopiaCharacter,
    SotopiaEnvironment,
    SotopiaFiles,
    SotopiaMeeting,
    read_sotopia,
)
from scenarios.sotopia_markup import MarkupError, TextParts, read_markup, tidy_text
from scenarios.variants import slugify
from scenarios.write_yaml import dump_persona, dump_scenario
from simworld.core.errors import InputError, Problem
from simworld.core.scenario import Limits, Persona, Relationship, Scenario, Seat

LIMITS = Limits(turns=20, silence=2)  # as in Sotopia
_RELATIONSHIPS = tuple(Relationship)  # Sotopia's numbers 0 to 5, in this order
_EMPTY_VALUES = ("", "nan", "none", "null")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedScenarios:
    """What an import wrote."""

    scenarios: int
    personas: int
    families: int


def import_sotopia(folder: Path, out: Path, *, force: bool = False) -> ImportedScenarios:
    """Writes a YAML file for each combination below `out` and the characters below `out/personas`.

    Everything is translated before the first file is written. Raises InputError with every problem;
    `out` must be empty, or `force` overwrites files of the same names.
    """
    if out.exists() and not out.is_dir():
        raise InputError("is a file; --out names a folder", str(out))
    if out.is_dir() and not force and any(out.iterdir()):
        raise InputError("the folder is not empty; name another, or use --force", str(out))
    texts = translate_sotopia(read_sotopia(folder), folder)
    try:
        (out / "personas").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", str(out)) from None
    personas = sum(name.startswith("personas/") for name in texts)
    families = len(set(re.findall(r"(?m)^family: (\S+)$", "\n".join(texts.values()))))
    return ImportedScenarios(scenarios=len(texts) - personas, personas=personas, families=families)


def translate_sotopia(files: SotopiaFiles, folder: Path) -> dict[str, str]:
    """File name → YAML text. Raises InputError with every text whose markup cannot be read."""
    markup, problems = _read_environment_texts(files, folder)
    if problems:
        raise InputError(problems)
    ids = _persona_ids(files.agents)
    texts = {
        f"personas/{ids[key]}.yaml": dump_persona(_persona(agent))
        for key, agent in files.agents.items()
    }
    names = _combo_names(files)
    for i, meeting in enumerate(files.combos):
        scenario = _scenario(names[i], meeting, files, markup[meeting.env_id])
        seats = {
            seat.name: ids[agent]
            for seat, agent in zip(scenario.seats, meeting.agent_ids, strict=True)
        }
        texts[f"{names[i]}.yaml"] = dump_scenario(scenario, seats)
    return texts


@dataclass(frozen=True, slots=True, kw_only=True)
class _EnvTexts:
    setting: TextParts
    goals: tuple[TextParts, ...]

    @property
    def judge_note(self) -> str:
        return "\n".join(
            line for parts in (self.setting, *self.goals) for line in parts.judge if line
        )

    def knows(self, seat: int) -> str:
        """What a seat learns: from its own goal's text, then from parts of any text that are
        addressed to it.
        """
        from_own_goal = [text for owner, text in self.goals[seat].knows if owner is None]
        addressed = [
            text
            for parts in (self.setting, *self.goals)
            for owner, text in parts.knows
            if owner == seat
        ]
        # A labelled part of the setting that names no viewer is for everybody.
        shared = [text for owner, text in self.setting.knows if owner is None]
        return "\n".join([*from_own_goal, *addressed, *shared])


def _read_environment_texts(
    files: SotopiaFiles, folder: Path
) -> tuple[dict[str, _EnvTexts], list[Problem]]:
    texts: dict[str, _EnvTexts] = {}
    problems: list[Problem] = []
    for key, environment in files.environments.items():
        parts_read: list[TextParts] = []
        for field, text in [
            ("scenario", environment.scenario),
            *((f"agent_goals.{i}", goal) for i, goal in enumerate(environment.agent_goals)),
        ]:
            try:
                parts = read_markup(text, len(environment.agent_goals))
            except MarkupError as error:
                problems.append(Problem(f"{key}.{field}: {error}", str(folder / ENVIRONMENTS)))
                continue
            if not parts.text:
                problems.append(Problem(f"{key}.{field}: is empty", str(folder / ENVIRONMENTS)))
            parts_read.append(parts)
        if len(parts_read) == len(environment.agent_goals) + 1:
            texts[key] = _EnvTexts(setting=parts_read[0], goals=tuple(parts_read[1:]))
    return texts, problems


def _scenario(
    name: str, meeting: SotopiaMeeting, files: SotopiaFiles, texts: _EnvTexts
) -> Scenario:
    environment = files.environments[meeting.env_id]
    seats = tuple(
        Seat(
            name=f"person-{i + 1}",
            persona=_persona(files.agents[agent]),
            goal=texts.goals[i].text,
            knows=texts.knows(i),
            secret=tidy_text(files.agents[agent].secret),
        )
        for i, agent in enumerate(meeting.agent_ids)
    )
    relationship = _RELATIONSHIPS[environment.relationship]
    pairs = {(a.name, b.name): relationship for i, a in enumerate(seats) for b in seats[i + 1 :]}
    return Scenario(
        name=name,
        title=environment.codename.replace("_", " "),
        family=_family(meeting.env_id),
        kind=environment.source,
        tags=("sotopia",),
        setting=texts.setting.text,
        seats=seats,
        relationships={
            pair: kind for pair, kind in pairs.items() if kind is not Relationship.stranger
        },
        limits=LIMITS,
        judge_note=texts.judge_note,
        meta=_meta(meeting, environment, files.agents),
    )


def _meta(
    meeting: SotopiaMeeting, environment: SotopiaEnvironment, agents: Mapping[str, SotopiaCharacter]
) -> dict[str, str]:
    meta: dict[str, Any] = {
        "origin": "Sotopia",
        "combo": meeting.pk,
        "environment": meeting.env_id,
        "codename": environment.codename,
        "source": environment.source,
        "age_constraint": environment.age_constraint,
        "occupation_constraint": environment.occupation_constraint,
        "agent_constraint": environment.agent_constraint,
    }
    meta |= environment.extras() | {
        f"combo.{name}": value for name, value in meeting.extras().items()
    }
    for i, key in enumerate(meeting.agent_ids):
        agent = agents[key]
        meta[f"person-{i + 1}"] = key
        meta[f"person-{i + 1}.model_id"] = agent.model_id
        meta |= {f"person-{i + 1}.{name}": value for name, value in agent.extras().items()}
    texts = {
        name: tidy_text(value if isinstance(value, str) else json.dumps(value))
        for name, value in meta.items()
    }
    named = {
        name: text
        for name, text in texts.items()
        if name.rpartition(".")[2].strip() and name.isprintable()
    }
    return {name: text for name, text in named.items() if text.casefold() not in _EMPTY_VALUES}


def _persona(agent: SotopiaCharacter) -> Persona:
    """The core's persona; the secret goes to the seat, for a persona is what others may learn."""
    personality = [
        agent.personality_and_values,
        _labelled_sentence("Big five", agent.big_five),
        _labelled_sentence("Decision making", agent.decision_making_style),
        _labelled_sentence("Type", agent.mbti),
    ]
    values = [
        _labelled_sentence("Moral values", ", ".join(agent.moral_values)),
        _labelled_sentence("Personal values", ", ".join(agent.schwartz_personal_values)),
    ]
    return Persona(
        name=tidy_text(f"{agent.first_name} {agent.last_name}"),
        short=tidy_text(agent.first_name) if " " in agent.first_name.strip() else "",
        age=agent.age,
        gender=tidy_text(agent.gender).lower(),
        pronouns=tidy_text(agent.gender_pronoun).lower(),
        occupation=tidy_text(agent.occupation),
        public=tidy_text(agent.public_info),
        personality=tidy_text(" ".join(filter(None, personality))),
        values=tidy_text(" ".join(filter(None, values))),
    )


def _labelled_sentence(label: str, text: str) -> str:
    return f"{label}: {text.strip().rstrip('.')}." if text.strip() else ""


def _family(env_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", env_id).strip("-._") or "sotopia"


def _persona_ids(agents: Mapping[str, SotopiaCharacter]) -> dict[str, str]:
    """Agent id → file name: the character's name, with the end of the id where two are called
    alike.
    """
    names = {key: _persona_name(key, agent) for key, agent in agents.items()}
    count = Counter(names.values())
    return _unique_names(
        {
            key: name if count[name] == 1 else f"{name}-{_id_suffix(key)}"
            for key, name in names.items()
        }
    )


def _persona_name(key: str, agent: SotopiaCharacter) -> str:
    return slugify(f"{agent.first_name} {agent.last_name}".replace("'", "")) or _id_suffix(key)


def _combo_names(files: SotopiaFiles) -> dict[int, str]:
    names: dict[int, str] = {}
    for i, meeting in enumerate(files.combos):
        codename = slugify(files.environments[meeting.env_id].codename) or "scenario"
        ids = "-".join(_id_suffix(key) for key in (meeting.env_id, *meeting.agent_ids))
        names[i] = f"{codename}-{ids}"
    return _unique_names(names)


def _unique_names(names: Mapping[Any, str]) -> dict[Any, str]:
    """The names, the second and later ones of a kind with a number."""
    counts: Counter[str] = Counter()
    unique = {}
    for key, name in names.items():
        counts[name] += 1
        unique[key] = name if counts[name] == 1 else f"{name}-no{counts[name]}"
    return unique


def _id_suffix(key: str) -> str:
    """The end of an id, as part of a name: ids of one day begin alike."""
    short = slugify(key[-6:])
    return short if SLUG.fullmatch(short) else "x"
