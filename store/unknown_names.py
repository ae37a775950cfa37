"""Errors for names that a database does not hold, each with the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, or_, select

from simworld.core.errors import InputError, Problem
from simworld.yamlfile import did_you_mean
from store.overview import filter_names
from store.tables import EpisodeRow, RunAgentRow, RunRow, ScenarioRow

MAX_IDS = 1000  # the latest ones, among which one is sought that is alike
SHORT_ID_DIGITS = 10  # digits of an id that are told
# hexadecimal numbers are alike by chance: a digit or two of ten may differ, no more
ID_CUTOFF = 0.85
_MAX_LISTED = 10


def check_names(
    connection: Connection,
    *,
    run: str | None = None,
    scenario: str | None = None,
    family: str | None = None,
    agent: str | None = None,
) -> None:
    """Raises InputError for each of these that nothing in the database is called, with what was
    probably meant.

    `scenario` and `agent` may be ids as well.
    """
    filters = (
        ("run", run, (RunRow.name,)),
        ("scenario", scenario, (ScenarioRow.name, ScenarioRow.id)),
        ("family", family, (ScenarioRow.family,)),
        ("agent", agent, (RunAgentRow.agent_name, RunAgentRow.agent_id)),
    )
    unknown = []
    for kind, name, columns in filters:
        if name is None:
            continue
        find_name = select(columns[0]).where(or_(*(column == name for column in columns))).limit(1)
        if connection.execute(find_name).first() is None:
            unknown.append((kind, name))
    if not unknown:
        return
    known = filter_names(connection)
    known_names = {
        "run": known.runs,
        "scenario": known.scenarios,
        "family": known.families,
        "agent": known.agents,
    }
    problems = []
    for kind, name in unknown:
        hint = (
            did_you_mean(name, known_names[kind])
            or f"; there are {', '.join(known_names[kind][:_MAX_LISTED]) or 'none'}"
        )
        problems.append(Problem(f"no {kind} {name!r} in this database{hint}"))
    raise InputError(problems)


def no_episode_error(connection: Connection, prefix: str) -> InputError:
    """What is wrong with a text that no episode's id begins with."""
    if connection.execute(select(RunRow.name).where(RunRow.name == prefix)).first() is not None:
        return InputError(
            f"{prefix!r} is a run; `simworld episode list --run {prefix}` lists its episodes"
        )
    latest = (
        select(EpisodeRow.id).order_by(EpisodeRow.ended.desc(), EpisodeRow.id.desc()).limit(MAX_IDS)
    )
    hint = did_you_mean_id(prefix, connection.execute(latest).scalars())
    if not set(prefix) <= set("0123456789abcdef"):
        return InputError(
            f"not an episode id: {prefix!r}; ids are hexadecimal, see `simworld episode list`{hint}"
        )
    return InputError(f"no episode {prefix}; see `simworld episode list`{hint}")


def did_you_mean_id(prefix: str, ids: Iterable[str]) -> str:
    """`; did you mean '90ce1b2a3f'?` where one of the ids begins nearly so, else an empty text."""
    by_prefix = {id_[: len(prefix)]: id_[: max(SHORT_ID_DIGITS, len(prefix))] for id_ in ids}
    return did_you_mean(prefix, by_prefix, cutoff=ID_CUTOFF, display=by_prefix.__getitem__)
