"""Tournaments from start to end: scripted agents, real engine, store, judging and statistics; the
judge's model alone is none."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simworld.core.episode import Observation
from simworld.core.errors import Failure, InputError
from simworld.core.protocols import ActGenerator, Agent
from simworld.core.requests import Completion, Request, Score, Scored
from simworld.runner.agent_pool import AgentPool
from simworld.testing.fakes import fake_answer
from simworld.tournaments.cost_estimate import estimate_cost
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.play import OpenJudge, play_tournament
from simworld.tournaments.results import (
    compare_tournament_agents,
    find_judge_ids,
    read_tournament_scores,
    tournament_results,
)
from simworld.tournaments.results_json import differences_to_json, results_to_json
from store import Store, open_store
from tests.factories.tournaments import AGENTS, agent_pool, judge, play, tournament, write


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    write(tmp_path, tables=2)
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", create=True) as made:
        yield made


def report(made: Tournament, store: Store) -> dict[str, object]:
    return results_to_json(made, tournament_results(made, store, made.judges[0], rounds=50))


def keys(store: Store) -> set[str]:
    return {summary.item_key for summary in store.episode_summaries(run="cup")}


def test_a_round_robin(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path)
    ran = play(made, store)
    # 6 scenarios × 4 × 4 ordered pairs, each agent beside itself included.
    assert (ran.played, ran.failed, ran.exhausted) == (96, 0, "")
    found = tournament_results(made, store, made.judges[0], rounds=50)
    assert found.judged_episodes == 96
    overall = found.standings.tables["overall"]
    assert [table.measure for table in found.standings.tables.values()][:2] == [
        "overall",
        "sotopia_mean",
    ]
    # Per scenario and seat 4 partners, and 6 pairs of agents beside each: 6 × 2 × 4 × 6 games.
    assert overall.games == 288
    for standing in overall.standings:
        assert standing.score is not None
        assert standing.rating is not None
        # 6 scenarios × 2 seats × 4 partners
        assert (standing.score.n, standing.score.families) == (48, 6)
        assert standing.rating.games == 144
    assert overall.win_records["ada", "ben"].games == 48
    assert overall.win_records["ada", "ben"].wins == overall.win_records["ben", "ada"].losses
    counts = {(c.played, c.failed, c.unscored) for c in found.standings.seats.values()}
    assert counts == {(48, 0, 0)}
    assert play(made, store).played == 0


def test_a_mean_is_that_of_the_stored_scores(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path)
    play(made, store)
    rows = [row for row in store.score_rows(run="cup", dimension="goal") if row.agent_name == "ada"]
    found = tournament_results(made, store, made.judges[0], rounds=50).standings.tables["goal"]
    (ada,) = (standing for standing in found.standings if standing.agent == "ada")
    assert ada.score is not None
    assert ada.score.mean == pytest.approx(sum(row.rescaled for row in rows) / len(rows))


def test_another_agent_plays_only_new_matches(store: Store, tmp_path: Path) -> None:
    three = tournament(tmp_path, agents=AGENTS[:3])
    play(three, store)
    before, games_before = keys(store), old_games(three, store)
    four = tournament(tmp_path)
    assert estimate_cost(four, store).left == 96 - 54
    assert play(four, store).played == 42  # 6 × (16 − 9)
    assert before <= keys(store)
    assert old_games(four, store) == games_before


def old_games(made: Tournament, store: Store) -> set[tuple[object, ...]]:
    """The scores of the first three agents beside each other: what their games are made of."""
    ids, old = find_judge_ids(store, "cup", made.judges[0]), AGENTS[:3]
    by_name = dict(enumerate(AGENTS))  # partners are numbered in the order of names
    return {
        (part.blocks[place], seat, by_name[partner], part.agents[agent], *values)
        for part in read_tournament_scores(made, store, ids, agents=old)
        for place, seat, partner, agent, values in zip(
            *(
                column.tolist()
                for column in (part.block, part.seat, part.partners, part.agent, part.values)
            ),
            strict=True,
        )
        if by_name[partner] in old
    }


def test_seats_focal_and_fixed_partners(store: Store, tmp_path: Path) -> None:
    focal = tournament(tmp_path, "format: focal\nfocal: ada")
    assert play(focal, store).played == 60  # 6 × (4 + 3 + 3)
    fixed = tournament(
        tmp_path, "format: fixed_partner\npartners: [dov.yaml]\nseats: first", agents=AGENTS[:2]
    )
    with open_store(f"sqlite:///{tmp_path / 'y.db'}", create=True) as other:
        assert play(fixed, other).played == 12  # two agents in the first seat of six scenarios
        overall = tournament_results(fixed, other, fixed.judges[0], rounds=50).standings.tables[
            "overall"
        ]
        assert overall.games == 6


def test_a_partner_that_is_an_agent_is_compared_beside_partners_only(
    store: Store, tmp_path: Path
) -> None:
    made = tournament(tmp_path, "format: fixed_partner\npartners: [ada.yaml]", agents=AGENTS[:3])
    # ada beside itself, and two others in either seat beside ada
    assert play(made, store).played == 6 * 5
    found = tournament_results(made, store, made.judges[0], rounds=50).standings
    assert {
        standing.score.n for standing in found.tables["overall"].standings if standing.score
    } == {12}
    assert {counts.played for counts in found.seats.values()} == {12}
    assert found.tables["overall"].games == 6 * 2 * 3


def test_swiss_goes_on_as_it_began(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path, "format: swiss\nrounds: 2")
    ran = play(made, store)
    # Each beside itself, and in each round two pairs both ways round.
    assert ran.played == 6 * (4 + 2 * 2 + 2 * 2)
    assert play(made, store).played == 0
    assert estimate_cost(made, store).upper_bound
    assert estimate_cost(made, store).left == 0  # the pairs are those that were played


def test_three_seats(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path, agents=AGENTS[:3], scenarios="[t*.yaml]")
    # Each agent alone in each of 3 seats beside two of each other kind, and all three alike: 3 × 2
    # × 3 + 3, twice.
    assert play(made, store).played == 2 * 21
    found = tournament_results(made, store, made.judges[0], rounds=50)
    overall = found.standings.tables["overall"]
    # A seat beside two of one kind: 3 kinds × 3 pairs of agents. Beside two different agents (6
    # ordered couples), only these two can sit: 1 pair each. 2 scenarios × 3 seats × (9 + 6).
    assert overall.games == 90
    assert found.multiplayer_ratings is not None
    assert {rating.agent for rating in found.multiplayer_ratings} == set(AGENTS[:3])
    assert (
        sum(rating.episodes for rating in found.multiplayer_ratings) == 2 * 2 * 18
    )  # two agents in every episode but those of one alone


def test_a_budget_stops_and_the_same_command_goes_on(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path, "budget: {episodes: 40}")
    ran = play(made, store)
    assert (ran.played, ran.exhausted) == (40, "40 episodes")
    assert estimate_cost(made, store).left == 56
    assert play(made, store).played == 40
    assert (play(made, store).exhausted, estimate_cost(made, store).left) == ("", 0)
    whole = report(made, store)
    with open_store(f"sqlite:///{tmp_path / 'y.db'}", create=True) as other:
        play(tournament(tmp_path), other)
        assert report(tournament(tmp_path), other) == whole


def test_a_dry_run_invents_nothing(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path)
    cost = estimate_cost(made, None)
    assert (cost.episodes, cost.left, cost.tokens, cost.minutes) == (96, 96, None, None)
    assert cost.unmeasured == AGENTS
    play(tournament(tmp_path, "budget: {episodes: 90}"), store)
    cost = estimate_cost(made, store)
    assert (cost.left, cost.tokens) == (6, 0)  # scripts write no tokens
    assert cost.minutes is not None
    assert 0 < cost.minutes < 1
    assert cost.judgements == 6
    assert cost.judging_minutes is not None
    assert 0 < cost.judging_minutes < 1
    (entry,) = [each for each in profile(store) if "judgements" in each]
    assert cost.judging_minutes == pytest.approx(6 * entry["wall_s"] / 90 / 60)


def profile(store: Store) -> list[dict[str, Any]]:
    (summary,) = store.run_summaries()
    return list((summary.run.profile or {})["commands"])


def with_agents(healthy: AgentPool, agents: Mapping[str, Agent]) -> AgentPool:
    return AgentPool(agents=agents, backends=healthy.backends, infos=healthy.infos)


def test_a_price_counts_what_failed_only_where_it_is_tried_again(
    store: Store, tmp_path: Path
) -> None:
    made = tournament(tmp_path, agents=AGENTS[:2], scenarios="[k1.yaml]")
    healthy = agent_pool(made)
    one = with_agents(healthy, {**healthy.agents, "ben": Broken("ben")})
    play_tournament(made, one, store, open_judge=judge())
    assert [estimate_cost(made, store, retry_failed=again).left for again in (False, True)] == [
        0,
        3,
    ]
    assert (estimate_cost(made, store).failed, estimate_cost(made, store).judgements) == (3, 0)


def test_a_judge_of_several_rubrics_owes_each_episode_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rubric = (
        "name: other\ndimensions: [{name: fun, range: [0, 1], question: q, statements: [{high: h,"
        " low: l}]}]\n"
    )
    (tmp_path / "other.yaml").write_text(rubric)
    with (tmp_path / "k1.yaml").open("a") as file:
        file.write("rubric: other.yaml\n")
    made = tournament(tmp_path, agents=AGENTS[:2], scenarios="[k0.yaml, k1.yaml]")
    assert estimate_cost(made, store).judgements == 8
    play(made, store)
    assert estimate_cost(made, store).judgements == 0
    tables = tournament_results(made, store, made.judges[0], rounds=50).standings.tables
    assert list(tables)[-1] == "other/fun"
    assert (tables["overall"].games, tables["sotopia/goal"].games, tables["other/fun"].games) == (
        8,
        4,
        4,
    )


def test_compare_is_antisymmetric_and_paired(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path)
    play(made, store)
    one, other = (
        compare_tournament_agents(made, store, made.judges[0], *pair)
        for pair in (("ada", "ben"), ("ben", "ada"))
    )
    assert one["overall"].comparison.mean == pytest.approx(-other["overall"].comparison.mean)
    assert one["overall"].families_needed == other["overall"].families_needed
    assert (one["goal"].comparison.pairs, one["goal"].comparison.families) == (48, 6)
    assert one["overall"].comparison.p_holm is None
    assert one["goal"].comparison.p_holm is not None
    assert set(differences_to_json("ada", "ben", one)["measures"]) == set(one)


def test_a_judge_that_failed_everywhere_is_one_line(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path)
    broken = Failure(boundary="model", kind="broken", message="no")
    assert play(made, store, judge(lambda request: broken)).tallies["fake"].failed == 96
    with pytest.raises(
        InputError, match=r"scored no episode of tournament 'cup': its judgements failed.*broken"
    ) as found:
        tournament_results(made, store, made.judges[0])
    assert "\n" not in str(found.value)
    play(made, store, retry_failed=True)
    assert tournament_results(made, store, made.judges[0], rounds=50).judged_episodes == 96


def test_what_a_judge_did_not_score_is_counted(store: Store, tmp_path: Path) -> None:
    def sometimes(request: Request) -> str | Completion:
        if isinstance(request, Score) and "number 0" in str(request.prompt):
            return Failure(boundary="model", kind="broken", message="no")
        return fake_answer(request)

    made = tournament(tmp_path)
    play(made, store, judge(sometimes))
    found = tournament_results(made, store, made.judges[0], rounds=50).standings
    assert {(c.played, c.unscored) for c in found.seats.values()} == {(48, 8)}
    assert found.families == 5


def test_all_ties_and_one_scenario(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path, "tie: 1", scenarios="[k1.yaml]")
    play(made, store)
    found = tournament_results(made, store, made.judges[0], rounds=50).standings
    assert {
        standing.rating.points for standing in found.tables["overall"].standings if standing.rating
    } == {1000.0}
    assert any("1 family" in warning for warning in found.warnings)
    assert any("all 48 games are ties" in warning for warning in found.warnings)


def test_nothing_played_is_one_line(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path)
    with pytest.raises(InputError, match="nothing of tournament 'cup'"):
        tournament_results(made, store, made.judges[0])


def test_ties_below_the_measured_deviation(store: Store, tmp_path: Path) -> None:
    (tmp_path / "fake.yaml").write_text(
        "name: fake\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\nsamples: 2\n"
    )
    made = tournament(tmp_path, agents=AGENTS[:2])
    play(made, store, noisy())
    found = tournament_results(made, store, made.judges[0], rounds=50).standings.tables["goal"]
    values: dict[tuple[str, str], list[float]] = {}
    for row in store.score_rows(run="cup", dimension="goal"):
        values.setdefault((row.episode_id, row.seat), []).append(row.rescaled)
    # of the difference of two samples
    variance = sum((x - y) ** 2 for x, y in values.values()) / len(values)
    assert variance > 0
    assert found.tie_threshold == pytest.approx(variance**0.5)
    assert found.ties > 0


def noisy() -> OpenJudge:
    """A judge whose second opinion differs from its first."""
    seen: Counter[str] = Counter()

    def answer(request: Request) -> str | Completion:
        assert isinstance(request, Score)
        seen[repr(request)] += 1
        made = fake_answer(request)
        assert isinstance(made, Scored)
        return replace(
            made,
            logprobs=tuple(
                p * (1 + 0.01 * seen[repr(request)] * i) for i, p in enumerate(made.logprobs)
            ),
        )

    return judge(answer)


def test_a_score_that_is_no_number_is_one_line(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path, agents=AGENTS[:2])
    play(made, store)
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute(
            "UPDATE verdicts SET score = 9e999 WHERE rowid = (SELECT min(rowid) FROM verdicts)"
        )
    with pytest.raises(
        InputError,
        match=r"by fake@\w+ is inf, which is not finite; delete that judgement and judge again",
    ):
        tournament_results(made, store, made.judges[0])


def test_without_its_library_tables_of_three_say_what_to_install(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tournament(tmp_path, agents=AGENTS[:2], scenarios="[t0.yaml]")
    play(made, store)
    monkeypatch.setitem(sys.modules, "openskill.models", None)
    found = tournament_results(made, store, made.judges[0], rounds=50)
    assert found.multiplayer_ratings is None
    assert any("pip install 'simworld[ratings]'" in warning for warning in found.standings.warnings)


class Broken:
    """An agent whose own code fails."""

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.model = ""

    def act(self, observation: Observation) -> ActGenerator:
        raise RuntimeError("no idea")


def test_agents_that_always_fail(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path, agents=AGENTS[:3])
    healthy = agent_pool(made)
    one = with_agents(healthy, {**healthy.agents, "cyn": Broken("cyn")})
    play_tournament(made, one, store, open_judge=judge())
    found = tournament_results(made, store, made.judges[0], rounds=50).standings
    # 6 scenarios: cyn's seats, beside the two others and twice beside itself; the others' where
    # they do not meet cyn.
    assert (found.seats["cyn"].played, found.seats["cyn"].failed) == (36, 36)
    assert (found.seats["ada"].played, found.seats["ada"].failed, found.seats["ada"].unscored) == (
        36,
        12,
        0,
    )
    overall = found.tables["overall"]
    assert (overall.standings[-1].score, overall.standings[-1].rating) == (None, None)
    assert any("no games link ada, ben | cyn" in warning for warning in found.warnings)


def test_when_every_episode_failed(store: Store, tmp_path: Path) -> None:
    made = tournament(tmp_path, agents=AGENTS[:2], scenarios="[k1.yaml]")
    nobody = with_agents(agent_pool(made), {name: Broken(name) for name in AGENTS[:2]})
    play_tournament(made, nobody, store, open_judge=judge())
    with pytest.raises(
        InputError, match="every episode of tournament 'cup' failed, so nothing can be compared"
    ):
        tournament_results(made, store, made.judges[0])
