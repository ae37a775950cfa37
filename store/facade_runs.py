"""Runs: what they plan, what has become of it, and the scenarios, agents and names in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from simworld.core.errors import InputError
from simworld.core.scenario import Scenario
from store import overview, runs
from store.database import Database
from store.known import check_names
from store.records import (
    AgentRecord,
    EndingCount,
    FilterNames,
    ItemState,
    PlannedItem,
    RunRecord,
    RunSummary,
    ScenarioLine,
)
from store.scenario_json import scenario_of
from store.tables import AgentRow, RunRow, ScenarioRow, table


class RunMethods(Database):
    """See `Store`."""

    def begin_run(
        self,
        run: RunRecord,
        items: Sequence[PlannedItem],
        scenarios: Iterable[Scenario],
        agents: Iterable[AgentRecord],
    ) -> None:
        """Stores a run with its plan. Again with the same name it adds what is new (repeats, casts)
        and takes the new settings.

        A scenario's content is stored once; its title, rubric, judge note and other details are
        those given last.

        Raises:
            ResumeRefused: the run exists with another seed, or one of its scenario or agent names
                now has other content.
            InputError: one name means two contents.
        """
        with self._write("nothing new was stored") as connection:
            runs.begin_run(connection, run, items, scenarios, agents)

    def add_profile(self, run: str, command: Mapping[str, Any]) -> None:
        """Adds what one command took to the run's profile: `{"commands": [first, …, last]}`.
        Several processes may.
        """
        with self._write("the run's profile was not stored") as connection:
            of_run = RunRow.name == run
            before = connection.execute(
                select(RunRow.profile).where(of_run).with_for_update()
            ).scalar_one_or_none()
            commands = [*(before or {}).get("commands", ()), dict(command)]
            connection.execute(update(RunRow).where(of_run).values(profile={"commands": commands}))

    def runs(self) -> list[RunSummary]:
        """All runs with counts, oldest first."""
        with self._read() as connection:
            return runs.run_summaries(connection)

    def run(self, name: str) -> RunSummary:
        """One run with its counts; raises InputError where there is none."""
        with self._read() as connection:
            check_names(connection, run=name)
            return runs.run_summaries(connection, name)[0]

    def run_record(self, name: str) -> RunRecord:
        """A run as it was begun; raises InputError where there is none."""
        with self._read() as connection:
            check_names(connection, run=name)
            row = (
                connection.execute(select(table(RunRow)).where(RunRow.name == name))
                .mappings()
                .one()
            )
        return RunRecord(**row)

    def run_scenarios(self, run: str) -> list[str]:
        """Ids of the scenarios that a run plans, by their names in it."""
        with self._read() as connection:
            return overview.run_scenarios(connection, run)

    def run_agents(self, run: str) -> Mapping[str, str]:
        """Agent name → agent id, by name, of the agents that a run names."""
        with self._read() as connection:
            return overview.run_agents(connection, run)

    def ending_counts(self, run: str) -> list[EndingCount]:
        """How the episodes of a run ended, by scenario, in no order."""
        with self._read() as connection:
            return overview.ending_counts(connection, run)

    def names(self) -> FilterNames:
        """The names that filters may use."""
        with self._read() as connection:
            return overview.names(connection)

    def check_names(
        self,
        *,
        run: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agent: str | None = None,
    ) -> None:
        """Raises InputError, with what was probably meant, where nothing is called so; scenarios
        and agents may be ids.
        """
        with self._read() as connection:
            check_names(connection, run=run, scenario=scenario, family=family, agent=agent)

    def scenario_lines(
        self, text: str | None = None, *, start: int = 0, limit: int = 100
    ) -> list[ScenarioLine]:
        """Scenarios by name with their counts, those whose name, title, family or kind contains a
        text in any case.
        """
        with self._read() as connection:
            return overview.scenario_lines(connection, text, start, limit)

    def planned(self, run: str) -> list[PlannedItem]:
        """All work items of a run, played or not."""
        with self._read() as connection:
            return runs.planned(connection, run)

    def finished(self, run: str) -> Mapping[str, ItemState]:
        """Item key → attempts made and how the last one ended; items never attempted are absent."""
        with self._read() as connection:
            return runs.finished(connection, run)

    def scenario(self, id_: str) -> Scenario:
        """The scenario as it was stored, judge note included; raises InputError where there is
        none.
        """
        with self._read() as connection:
            row = (
                connection.execute(select(table(ScenarioRow)).where(ScenarioRow.id == id_))
                .mappings()
                .one_or_none()
            )
            if row is None:
                raise InputError(f"no scenario {id_} in {self.where}")
            return scenario_of(row)

    def agent(self, id_: str) -> AgentRecord:
        """The agent as it was stored; raises InputError where there is none."""
        with self._read() as connection:
            row = (
                connection.execute(select(table(AgentRow)).where(AgentRow.id == id_))
                .mappings()
                .one_or_none()
            )
        if row is None:
            raise InputError(f"no agent {id_} in {self.where}")
        return AgentRecord(**row)
