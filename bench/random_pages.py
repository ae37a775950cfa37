"""Addresses of pages of a large store, drawn at random, for readers that `bench.web` lets read."""

from __future__ import annotations

import random
from collections.abc import Callable

from simworld.web.links import link
from store import Store, query

WORDS = ("garden", "forty euros", '"the last train"', "promised station", "mother", "music starts")
MEANINGS = ("someone apologises and is forgiven", "they argue about money", "a secret comes out")
QUERIES = (
    "SELECT ending, count(*) FROM episodes GROUP BY ending",
    "SELECT * FROM transcripts LIMIT 50",
    "SELECT agent_name, count(*) FROM episode_seats GROUP BY agent_name",
)
# How often each kind of page is asked for
WEIGHTS = {
    "episode": 30,
    "episodes": 20,
    "standings": 8,
    "compare": 8,
    "scenario": 8,
    "words": 6,
    "meaning": 3,
    "run": 5,
    "runs": 5,
    "scenarios": 3,
    "agent": 2,
    "sql": 2,
}


class RandomPages:
    """Addresses of pages, drawn at random from what a store holds."""

    def __init__(self, url: str, store: Store) -> None:
        names = store.filter_names()
        self._names = names
        self._episodes = [
            summary.id
            for run in names.runs
            for summary in store.episode_summaries(run=run, limit=500)
        ]
        self._scenarios = {run: store.run_scenarios(run) for run in names.runs}
        self._agents = {run: dict(store.run_agents(run)) for run in names.runs}
        with query(url, "SELECT 1 FROM embeddings LIMIT 1") as embedded:
            some = bool(list(embedded))
        self.weights = {
            kind: weight for kind, weight in WEIGHTS.items() if some or kind != "meaning"
        }

    def draw(self, rng: random.Random) -> tuple[str, str]:
        """A kind of page and an address of it."""
        (kind,) = rng.choices(list(self.weights), list(self.weights.values()))
        run = rng.choice(self._names.runs)
        agents = list(self._agents[run])
        first, second = rng.sample(agents, 2) if len(agents) > 1 else (None, None)
        scenario = rng.choice(self._scenarios[run])
        makers: dict[str, Callable[[], str]] = {
            "episode": lambda: link("/episode/show", rng.choice(self._episodes)),
            "episodes": lambda: self._filtered(rng, run, scenario, rng.choice(agents)),
            "standings": lambda: link(
                "/tournament/standings", run=run, measure=rng.choice(("overall", "goal"))
            ),
            "compare": lambda: link(
                "/tournament/compare", run=run, first=first, second=second, scenario=scenario
            ),
            "scenario": lambda: link("/scenario/show", scenario),
            "words": lambda: link("/episode/search", text=rng.choice(WORDS)),
            "meaning": lambda: link("/episode/search", text=rng.choice(MEANINGS), by="meaning"),
            "run": lambda: link("/run/show", run),
            "runs": lambda: "/",
            "scenarios": lambda: "/scenario/list",
            "agent": lambda: link("/agent/show", rng.choice(list(self._agents[run].values()))),
            "sql": lambda: link("/db/query", sql=rng.choice(QUERIES)),
        }
        return kind, makers[kind]()

    def _filtered(self, rng: random.Random, run: str, scenario: str, agent: str) -> str:
        fields = {
            "run": run,
            "scenario": scenario,
            "agent": agent,
            "ending": "failed",
            "before": rng.choice(self._episodes),
        }
        return link(
            "/episode/list",
            **{name: fields[name] for name in rng.sample(list(fields), rng.randint(0, 3))},
        )
