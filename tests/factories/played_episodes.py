"""A tiny random language model, and episodes that its agents really played, with the prompts they
asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import torch

from agents import LMAgent
from agents.prompting import PromptTemplate
from agents.steering.upmap import UpMap
from simworld.core.engine import play
from simworld.core.episode import Act, Episode, WorkItem
from simworld.core.requests import ChatPrompt, Generate, Generated, ModelInfo, Prompt, Sampling
from simworld.core.scenario import Scenario
from simworld.core.visibility import observe
from simworld.training.cloning.stored_replies import StoredReply
from store import AgentRecord, Store
from tests.factories.models import load_tiny as load_tiny
from tests.factories.models import save_tiny as save_tiny
from tests.factories.scenarios import scenario as named_scenario
from tests.factories.stored import keep

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCRIPT = PromptTemplate(style="script", instructions="{{setting}} {{name}} wants this: {{goal}}")


def scene(name: str, turns: int = 4) -> Scenario:
    return named_scenario(name, turns=turns)


def upmap(d_action: int = 4, tokens: int = 2, width: int = 32, seed: int = 1) -> UpMap:
    torch.manual_seed(seed)
    return UpMap(
        torch.randn(d_action, tokens * width) * 0.3, tokens=tokens, act_norm=1.0, embedding_norm=1.7
    )


WARM = Sampling(temperature=0.7)


def make_stored_reply(
    prompt: Prompt,
    reply: str = " Yes, 5.",
    *,
    stop: str | None = "\n",
    family: str = "f",
    turn: int = 1,
    sampling: Sampling = WARM,
) -> StoredReply:
    observation = observe(scene(family), "seller", (), turn, 3)
    return StoredReply(
        prompt=prompt,
        reply=reply,
        stop=stop,
        family=family,
        episode=f"{family}-episode",
        observation=observation,
        template_version="v",
        sampling=sampling,
        dtype="float32",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedEpisode:
    """An episode that agents played, and each prompt they asked, in order."""

    episode: Episode
    prompts: tuple[ChatPrompt, ...]


def agent(model_id: str, name: str = "plain") -> tuple[LMAgent, AgentRecord]:
    info = ModelInfo(spec="hf:tiny", id=model_id, dtype="float32", context=1024)
    made = LMAgent(
        id=name, model="hf:tiny#float32", info=info, template=SCRIPT, sampling=Sampling()
    )
    return made, AgentRecord(
        id=name,
        name=name,
        spec={
            "kind": "lm",
            "prompt": SCRIPT.model_dump(mode="json"),
            "sampling": {"temperature": 0.7},
        },
    )


def play_lines(who: LMAgent, scenario: Scenario, lines: Sequence[str]) -> PlayedEpisode:
    """An episode in which the model writes these lines, one a turn; the last is cut at its
    length."""
    game = play(scenario, {seat.name: who.id for seat in scenario.seats}, seed=5)
    prompts: list[ChatPrompt] = []
    due = next(game)
    try:
        for i, line in enumerate(lines):
            replies: dict[str, Act] = {}
            for seat, observation in due.items():
                thinking = who.act(observation)
                request = next(thinking)
                assert isinstance(request, Generate)
                assert isinstance(request.prompt, ChatPrompt)
                prompts.append(request.prompt)
                answer = Generated(
                    text=line,
                    prompt_tokens=9,
                    new_tokens=3,
                    finish="length" if i == len(lines) - 1 else "stop",
                    latency_s=0.1,
                    dtype="bfloat16",
                )
                try:
                    thinking.send(answer)
                except StopIteration as over:
                    replies[seat] = over.value
            due = game.send(replies)
    except StopIteration as over:
        return PlayedEpisode(episode=over.value, prompts=tuple(prompts))
    raise AssertionError("the episode has more turns than lines")


def add(
    store: Store,
    played: PlayedEpisode,
    scenario: Scenario,
    record: AgentRecord,
    *,
    run: str = "first",
) -> None:
    episode = played.episode
    item = WorkItem(run=run, scenario_id=scenario.id, cast=episode.cast, repeat=0)
    keep(store, item, episode, scenario, [record], at=NOON)
