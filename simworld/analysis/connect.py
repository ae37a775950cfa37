"""`simworld.connect`: the named questions that an analyst asks a database, as DataFrames."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import pandas as pd

from simworld.analysis import ready_queries as _ready
from simworld.analysis.questions import agent_pairs as _paired
from simworld.analysis.questions import catalogue as _catalogue
from simworld.analysis.questions import check_results as _checks
from simworld.analysis.questions import endings as _endings
from simworld.analysis.questions import language as _language
from simworld.analysis.questions import mean_scores as _scores
from simworld.analysis.questions import planner_actions as _actions
from simworld.analysis.questions import standings as _standings
from simworld.analysis.questions import stored_rows as _rows
from simworld.analysis.questions.query_source import QuerySource, to_frame
from simworld.analysis.questions.scope import ScopeFilters
from simworld.core.errors import SimworldError
from simworld.core.measures import OVERALL
from store import open_store
from store.damage import explain_damage
from store.query_parameters import BoundValue

MAX_ROWS = 100_000
T = TypeVar("T")


def connect(url: str, *, timeout_s: float = 60.0) -> Analysis:
    """A database to ask: an SQLite file or its URL, or `postgresql://…`. It is only read, and never
    made.

    Args:
        url: the database.
        timeout_s: seconds for one query.

    Raises:
        InputError: the address makes no sense, or there is no such database.
        StoreMismatch: not a simworld database, or one of another version.
        StoreError: it cannot be reached.
    """
    return Analysis(QuerySource(url=url, store=open_store(url), timeout_s=timeout_s))


def _explain_damage(class_: type[T]) -> type[T]:
    """The class, whose unknown errors are explained where a damaged cell of the database is to
    blame.
    """

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            except SimworldError:
                raise
            except Exception as error:
                if (explanation := explain_damage(self._source.url, error)) is None:
                    raise
                raise explanation from error

        return wrapper

    for name, method in list(vars(class_).items()):
        if not name.startswith("_") and name != "close":
            setattr(class_, name, wrap(method))
    return class_


@_explain_damage
class Analysis:
    """The named questions. Each gives a DataFrame; `frame.attrs["notes"]` says what a reader must
    know of it.
    """

    def __init__(self, source: QuerySource) -> None:
        self._source = source

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._source.store.close()

    def sql(
        self,
        query: str,
        *,
        limit: int = MAX_ROWS,
        timeout_s: float | None = None,
        **values: BoundValue,
    ) -> pd.DataFrame:
        """The rows of one SELECT, VALUES or WITH; `:name` in it stands for the argument of that
        name. Nothing can be written.

        Args:
            query: SQL of the database; `simworld db info --columns` prints the codebook.
            limit: the most rows; 0: all. There are never more than 256 MB. Where more were there, a
                Note says so.
            timeout_s: seconds for this query; default: that of the connection.
            values: of the query's parameters.

        Raises:
            InputError: a mistake in the SQL, a try to write, a second statement, or the time is
                over.
        """
        return self._source.frame(query, values, limit=limit, timeout_s=timeout_s)

    def ready(self, name: str, *, limit: int = MAX_ROWS, **values: BoundValue) -> pd.DataFrame:
        """The rows of a ready query (`ready_queries` lists them); `limit` as for `sql`.

        Args:
            name: of the query.
            limit: the most rows; 0: all.
            values: of its parameters.

        Raises:
            InputError: no such query, a parameter is missing or unknown, or what it names is not
                there.
        """
        query = _ready.ready_query(name)
        bound = query.bind(values)
        _ready.check_names(self._source.url, bound)
        return self._source.frame(query.sql, bound, limit=limit)

    def ready_queries(self) -> pd.DataFrame:
        """The ready queries: `query` (its name), `question` (what it answers), `columns` and
        `parameters` (names).
        """
        rows = [
            (query.name, query.question, list(query.columns), list(query.parameters))
            for query in _ready.ready_queries().values()
        ]
        return to_frame(rows, dict.fromkeys(("query", "question", "columns", "parameters"), ""))

    def runs(self) -> pd.DataFrame:
        """All runs, oldest first: `run`, `begun` (UTC), `planned` work items, of them `done` and
        `failed` (by their last attempt), `episodes` (all attempts) and `judged` (episodes with a
        judgement that is ok).
        """
        return _catalogue.runs(self._source)

    def agents(self, *, run: str | None = None) -> pd.DataFrame:
        """Who played: `run`, `agent`, `agent_id`, `seats` (all attempts), `families`, and `failed`
        (seats of failed episodes).
        """
        return _catalogue.agents(self._source, run=run)

    def judges(self, *, run: str | None = None) -> pd.DataFrame:
        """Who judged: `judge`, `judge_id`, `rubric`, `judgements`, of them `ok` and `failed`, and
        `samples` per episode at most.
        """
        return _catalogue.judges(self._source, run=run)

    def episodes(
        self,
        *,
        run: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
        ending: str | None = None,
        limit: int = 1_000,
    ) -> pd.DataFrame:
        """Episodes without their turns, the latest first.

        Columns: `episode` (id), `run`, `scenario`, `family`, `repeat`, `attempt`, `ending`
        (terminated, turn_limit, failed), `reason`, `failure_boundary`, `failure_kind`,
        `failure_message`, `turns`, `prompt_tokens`, `new_tokens`, `started` and `ended` (UTC),
        `parent` (the episode it branched from).

        Args:
            run: only this run.
            scenario: only this scenario, by name or id.
            family: only this family.
            agents: only episodes in which one of these sits.
            ending: only those that ended so.
            limit: the most rows; 0: all. Where more were there, a Note says so.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _rows.episodes(self._source, filters, ending=ending, limit=limit)

    def transcripts(
        self,
        *,
        episode: str | None = None,
        run: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
        limit: int = 10_000,
    ) -> pd.DataFrame:
        """What was said and done: a row for each act, episode by episode.

        Columns: `episode`, `run`, `scenario`, `family`, `repeat`, `ending`; `turn`, `position`,
        `seat`, `persona`, `agent`, `kind` (speak, non-verbal, action, leave, none), `text`,
        `recipients` (seats that alone perceived it; empty: everyone); `prompt_tokens`,
        `new_tokens`, `latency_s` (seconds), `logprob` (of the reply, nats) and `asks`, missing for
        scripts.

        Args:
            episode: an id, or its beginning.
            run: only this run.
            scenario: only this scenario, by name or id.
            family: only this family.
            agents: only what these said, by names or ids.
            limit: the most rows; 0: all. Where more were there, a Note says so.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _rows.transcripts(self._source, filters, episode=episode, limit=limit)

    def endings(
        self,
        *,
        by: Sequence[str] = ("agent",),
        run: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
    ) -> pd.DataFrame:
        """How episodes ended: a row for each group, ending and reason. A work item counts by its
        last attempt.

        Columns: those of `by`; `ending` (terminated, turn_limit, failed) and `reason`; `count`;
        `share` of all in the group, with `low` and `high` (95 % interval over families); `n` (all
        in the group) and `families`; `turns` (mean, of these episodes). Seats of episodes are
        counted where `by` names agent or seat, else episodes.

        Args:
            by: any of agent, seat, position (of the seat, from 0), run, scenario, family, kind (of
                scenario).
            run: only this run.
            scenario: only this scenario, by name or id.
            family: only this family.
            agents: only these, by names or ids.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _endings.endings(self._source, filters, by=by)

    def scores(
        self,
        *,
        by: Sequence[str] = ("agent",),
        measures: Sequence[str] = (),
        run: str | None = None,
        judge: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Mean scores: a row for each group and measure.

        Columns: those of `by`; `measure` (`overall`, the weighted mean of the dimensions;
        `sotopia_mean`, Sotopia's plain mean of the seven in their own ranges; and each dimension);
        `mean` (a share of the range, 0 to 1; of `sotopia_mean` in its range), `low` and `high` (95
        % interval over families); `n` (seats of episodes with a score; a judge's samples are
        averaged) and `families`; `score` (the mean in the range that the judge was asked for);
        `played`, `failed` and `unscored` (seats: of all, of episodes that failed, and without this
        score), which are never averaged in.

        Args:
            by: any of agent, seat, position (of the seat, from 0), run, scenario, family, kind (of
                scenario).
            measures: names; default: all.
            run: only this run; default: every run.
            judge: name, id, or beginning of an id; default: the only one that has scored this.
            scenario: only this scenario, by name or id.
            family: only this family.
            agents: only these, by names or ids.

        Raises:
            InputError: something is not there, nothing is scored, several judges have scored and
                none is named, or one name means two agents.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _scores.scores(self._source, filters, by=by, measures=measures, judge=judge)

    def paired(
        self,
        first: str,
        second: str,
        *,
        by: Sequence[str] = (),
        measures: Sequence[str] = (),
        run: str | None = None,
        judge: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        values: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """One agent less another in equal circumstances (scenario, seat, partners, repeat): a row
        for each group and measure.

        Repeats are averaged within a cell, cells within a family; the families are what intervals
        and tests count.

        Columns: those of `by`; `measure`; `difference` (mean over families, as shares of the range;
        of `sotopia_mean` in its range, of your own values in theirs), `low` and `high` (95 %
        bootstrap interval over families); `d_z` (mean over standard deviation of the families),
        `z`, `p` (t test), `p_holm` (corrected over the dimensions of the group) and `sign_p` (sign
        flips); `pairs`, `cells` and `families` (n); `settles` (families that would show such a
        difference in 80 % of the cases; missing: above a million); `failed_first`, `failed_second`,
        `unscored_first`, `unscored_second` (seats of each agent that are in no pair).

        Args:
            first: an agent, by name or id.
            second: another.
            by: any of family, scenario, kind (of scenario), seat, position (of the seat): for whom
                there is a difference.
            measures: names; default: all.
            run: default: the only one in which both are.
            judge: name, id, or beginning of an id; default: the only one that has scored this.
            scenario: only this scenario, by name or id.
            family: only this family.
            values: what you measured yourself, instead of a judge: columns `episode`, `seat`, and a
                number for each measure.

        Raises:
            InputError: as `scores`; or the two share no scored cell, or `values` cannot be used.
        """
        pair = _paired.AgentPair(
            first=first, second=second, run=run, scenario=scenario, family=family
        )
        return _paired.differences_frame(
            self._source, pair, by=by, measures=measures, judge=judge, values=values
        )

    def pairs(
        self,
        first: str,
        second: str,
        *,
        measure: str | None = None,
        run: str | None = None,
        judge: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        values: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """The pairs behind `paired`: a row for each circumstance in which both agents have a value
        of the measure.

        Columns: `family`, `scenario`, `seat`, `partners` (agents in the other seats), `repeat`;
        `first`, `second` and `difference` (shares of the range; of `sotopia_mean` and of your own
        values in theirs); `episode_first`, `episode_second` (ids).

        Args:
            first: an agent, by name or id.
            second: another.
            measure: default: `overall`, or the first column of numbers in `values`.
            run: default: the only one in which both are.
            judge: as for `paired`.
            scenario: only this scenario, by name or id.
            family: only this family.
            values: as for `paired`.

        Raises:
            InputError: as `paired`.
        """
        pair = _paired.AgentPair(
            first=first, second=second, run=run, scenario=scenario, family=family
        )
        return _paired.pairs_frame(self._source, pair, measure=measure, judge=judge, values=values)

    def standings(
        self,
        *,
        measure: str = OVERALL,
        run: str | None = None,
        judge: str | None = None,
        tie: float = 0.0,
        anchor: str | None = None,
    ) -> pd.DataFrame:
        """Standings of a run, the best rating first: a row for each agent.

        Columns: `agent`; `rating` with `rating_low` and `rating_high` (Bradley–Terry points, 400
        are odds of ten to one, with a 95 % interval over families; missing without games, infinite
        on a side that the games leave open: above an agent that won every game); `games`, `wins`,
        `ties`, `losses` (against other agents in the same scenario, seat, partners and repeat);
        `mean`, `low`, `high`, `n`, `families`, `played`, `failed`, `unscored` as in `scores`.

        Args:
            measure: what decides.
            run: default: the only one.
            judge: name, id, or beginning of an id; default: the only one that has scored this.
            tie: a smaller difference, as a share of the range, is a tie.
            anchor: the agent that has 1000 points; default: the mean of all has them.

        Raises:
            InputError: as `scores`; or there are several runs and none is named.
        """
        return _standings.standings(
            self._source, measure=measure, run=run, judge=judge, tie=tie, anchor=anchor
        )

    def games(
        self,
        *,
        measure: str = OVERALL,
        run: str | None = None,
        judge: str | None = None,
        tie: float = 0.0,
    ) -> pd.DataFrame:
        """Who won against whom, each pair both ways round: `agent`, `opponent`, `wins`, `ties`,
        `losses`, `n` (games).

        Arguments and errors as `standings`.
        """
        return _standings.games(self._source, measure=measure, run=run, judge=judge, tie=tie)

    def checks(
        self,
        *,
        by: Sequence[str] = ("check",),
        measure: str | None = None,
        run: str | None = None,
        judge: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
    ) -> pd.DataFrame:
        """What programmatic checks found beside what a judge says: a row for each group.

        Columns: those of `by`; `measure`; `holds` and `fails` (n: scored seats of episodes in which
        the check holds, and does not); `mean_holds`, `mean_fails` (shares of the range);
        `difference` (of the two within a family, averaged over the families that have both), with
        `low` and `high` (95 % interval over families) and `families`; `undecided` (seats where the
        check could not be decided) and `unscored` (decided, without a score). Failed episodes have
        no checks.

        Args:
            by: any of check, agent, seat, position (of the seat, from 0), run, scenario, family,
                kind (of scenario).
            measure: what the judge says; default: `goal` where it has that, else `overall`.
            run: only this run.
            judge: name, id, or beginning of an id; default: the only one that has scored this.
            scenario: only this scenario, by name or id.
            family: only this family.
            agents: only the seats of these, by names or ids.

        Raises:
            InputError: as `scores`; or no check was made.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _checks.checks(self._source, filters, by=by, measure=measure, judge=judge)

    def language(
        self,
        *,
        run: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
        most: int = 100,
    ) -> pd.DataFrame:
        """How agents speak, to be read beside their scores: a row for each agent and measure.
        Failed episodes are left out.

        Columns: `agent`; `measure`; `value`; `low` and `high` (95 % interval over families, for
        means); `n` (utterances; for `empty_share` acts); `families`. Measures: `words` (per
        utterance); `empty_share` (of acts that said and did nothing); `repeated_share` (of
        utterances that repeat an earlier line of the episode); `distinct_1`, `distinct_2`
        (different words, word pairs, by all, over as many words of every agent); `perplexity` (of
        the replies under the model that wrote them, steered where it was steered, where
        log-probabilities are stored).

        Args:
            run: only this run.
            scenario: only this scenario, by name or id.
            family: only this family.
            agents: only these, by names or ids.
            most: seats of episodes that are read of each agent, a random sample that is the same
                each time; 0: all.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _language.language(self._source, filters, most=most)

    def planner_actions(
        self,
        *,
        planner: str | None = None,
        run: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
        most: int = 2_000,
    ) -> pd.DataFrame:
        """What planners do: a row for each agent, planner and encoder.

        Columns: `agent`, `planner` and `encoder` (ids); `size` (coordinates of an action); `rms`
        (root mean square of its coordinates, 1 on the planner's sphere) with `low` and `high` (95 %
        interval over families); `dispersion` (mean cosine
        distance of two actions: 0 where it does one thing only, about 1 where it goes anywhere);
        `directions` (how many it varies along, 1 to `size`); `noisy_share` (with exploration
        noise); `n` (acts) and `families`.

        Args:
            planner: only this planner, by id.
            run: only this run.
            scenario: only this scenario, by name or id.
            family: only this family.
            agents: only these, by names or ids.
            most: acts that are read of each planner, those of the first episode ids, which are
                hashes; 0: all.

        Raises:
            InputError: something is not there, or no planner acted.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _actions.planner_actions(self._source, filters, planner=planner, limit=most)

    def action_vectors(
        self,
        *,
        planner: str | None = None,
        run: str | None = None,
        scenario: str | None = None,
        family: str | None = None,
        agents: Sequence[str] = (),
        states: bool = False,
        limit: int = 10_000,
    ) -> pd.DataFrame:
        """The acts behind `planner_actions`: a row for each act of a planner.

        Columns: `episode`, `run`, `scenario`, `family`, `agent`, `seat`, `turn`, `kind`, `text`,
        `planner`, `encoder`, `noisy`, `action` (array (size,) float32) and, with `states`, `state`
        (array (d_s,) float32).

        Arguments and errors as `planner_actions`; `limit` is the most rows of each planner, 0: all.
        """
        filters = ScopeFilters(run=run, scenario=scenario, family=family, agents=agents)
        return _actions.action_vectors(
            self._source, filters, planner=planner, states=states, limit=limit
        )
