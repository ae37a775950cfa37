"""How an agent's lines read, over the scenario library: echo, repetition, out-of-role lines, and what they cost.

    python -m bench.agents smol-script my-agent.yaml --turns 8 --show 2
    python -m bench.agents smol-script --db simworld.db      # stored episodes that it played in every seat

An *echo* shares at least 60 % of its word pairs with the line before; a *repeat* with any earlier line of the episode. An
*out-of-role* line speaks as an assistant or about the script, or names another person as itself. An *on-topic* line shares a
word of five letters or more with the setting or the seats' goals and knowledge. One JSON line per agent.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import replace

from agents import find_specs
from agents.replies.line_similarity import line_similarity
from scenarios import find_scenarios
from simworld.core.episode import Act, ActionKind, Ending, Episode
from simworld.core.scenario import Scenario
from simworld.runner import play_jobs
from simworld.runner.agent_pool import load_agents
from simworld.runner.run_plan import Cast, RunPlan
from store import open_store

MIN_SIMILARITY = 0.6
OUT_OF_ROLE = re.compile(
    r"(?i)\b(as an ai|i'?m an ai|language model|(?:ai|your|virtual) assistant|how can i"
    r" (?:help|assist)|"
    r"(?:happy|glad|here) to (?:help|assist)|the (?:script|dialogue|scene|screenplay|conversation)"
    r" (?:is|ends|continues|opens|was)|"
    r"here(?:'s| is) (?:a|the|your) (?:script|dialogue|response|revised)|in this"
    r" (?:script|scene|scenario)|setting:|continue the)"
)

# fmt: off
COMMON_WORDS = frozenset([
    "about", "after", "again", "could", "every", "going", "never", "other", "really", "should", "since", "their",
    "there", "these", "thing", "things", "think", "those", "today", "tomorrow", "tonight", "until", "wants", "where",
    "which", "while", "would",
])
# fmt: on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agents", nargs="+")
    parser.add_argument("--scenarios", default="library", help="comma-separated selectors")
    parser.add_argument("--every", type=int, default=1, help="take every n-th scenario")
    parser.add_argument(
        "--turns", type=int, default=0, help="shorten conversations to so many turns"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--db", help="measure stored episodes instead of playing")
    parser.add_argument("--show", type=int, default=0, help="print so many transcripts")
    args = parser.parse_args()
    chosen = [loaded.scenario for loaded in find_scenarios(args.scenarios.split(","))][
        :: args.every
    ]
    if args.turns:
        chosen = [
            replace(s, limits=replace(s.limits, turns=min(s.limits.turns, args.turns)))
            for s in chosen
        ]
    if args.db:
        for name in args.agents:
            print(json.dumps({"agent": name, **measure(stored_episodes(args.db, name))}))
        return
    specs = find_specs(args.agents)
    with load_agents(specs, cpu_threads=args.threads) as agent_pool:
        for loaded in specs:
            name = loaded.spec.name
            cast = Cast(by_seat={"*": name})
            plan = RunPlan(
                run="bench",
                seed=args.seed,
                repeats=1,
                scenarios=tuple(chosen),
                casts=(cast,),
                specs={name: loaded},
            )
            start = time.perf_counter()
            played = [
                (p.job.scenario, p.episode)
                for p in play_jobs(plan.make_jobs(agent_pool.agents), agent_pool.backends)
            ]
            seconds = time.perf_counter() - start
            for scenario, episode in played[: args.show]:
                print(f"--- {scenario.name} ({episode.ending}: {episode.reason})")
                for act in episode.acts:
                    print(f"{act.seat}: {act.action.kind}: {act.action.text}")
            print(
                json.dumps({"agent": name, "seconds": round(seconds, 1), **measure(played)}),
                flush=True,
            )


def stored_episodes(url: str, agent: str) -> list[tuple[Scenario, Episode]]:
    """The stored episodes in which an agent has every seat."""
    with open_store(url) as store:
        return [
            (store.scenario(stored_episode.episode.scenario_id), stored_episode.episode)
            for stored_episode in store.episodes(agent=agent, vectors=False)
            if len(set(stored_episode.episode.cast.values())) == 1
        ]


def measure(played: list[tuple[Scenario, Episode]]) -> dict[str, float]:
    """Shares of spoken lines, means per line."""
    acts = [act for _, episode in played for act in episode.acts]
    spoken = [act for act in acts if act.action.kind is ActionKind.speak]
    echoes = repeats = out_of_role_count = topical = 0
    for scenario, episode in played:
        lines: list[str] = []
        topic = long_words(
            scenario.setting, *(text for seat in scenario.seats for text in (seat.goal, seat.knows))
        )
        for act in episode.acts:
            if act.action.kind is not ActionKind.speak:
                continue
            echoes += line_similarity(act.action.text, lines[-1:]) >= MIN_SIMILARITY
            repeats += line_similarity(act.action.text, lines) >= MIN_SIMILARITY
            out_of_role_count += out_of_role(scenario, act)
            topical += bool(topic & long_words(act.action.text))
            lines.append(act.action.text)
    n = max(1, len(spoken))
    return {
        "episodes": len(played),
        "lines": len(spoken),
        "other_acts": len(acts) - len(spoken),
        "echo": round(echoes / n, 4),
        "repeat": round(repeats / n, 4),
        "out_of_role": round(out_of_role_count / n, 4),
        "on_topic": round(topical / n, 4),
        "asks_per_act": round(
            sum(act.generation.asks for act in acts if act.generation) / max(1, len(acts)), 3
        ),
        "words": round(sum(len(act.action.text.split()) for act in spoken) / n, 1),
        "failed": sum(episode.ending is Ending.failed for _, episode in played),
        "ended_early": sum(episode.ending is Ending.terminated for _, episode in played),
    }


def long_words(*texts: str) -> set[str]:
    """The words of five letters or more, lower case."""
    return {
        word for text in texts for word in re.findall(r"[^\W\d_]{5,}", text.casefold())
    } - COMMON_WORDS


def out_of_role(scenario: Scenario, act: Act) -> bool:
    """Whether a line breaks its role."""
    others = [seat.persona.display_name for seat in scenario.seats if seat.name != act.seat]
    as_other = any(
        re.search(rf"(?i)\b(?:i am|i'm|my name is|this is) {re.escape(name)}\b", act.action.text)
        for name in others
    )
    return as_other or bool(OUT_OF_ROLE.search(act.action.text))


if __name__ == "__main__":
    main()
