"""A budget of memory limits how many conversations are under way, and so nothing is thrown out that
is needed next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.lm import load_backend
from agents.lm.local import decoding_batch, prefix_cache
from agents.lm.local.transformers_backend import TransformersBackend
from agents.lm_agent import LMAgent
from agents.prompting import PromptTemplate
from simworld.core.engine import episode_seed
from simworld.core.episode import Ending, WorkItem
from simworld.core.protocols import Backend
from simworld.core.requests import Finished, ModelInfo, Request, Sampling
from simworld.core.scenario import Limits, Persona, Scenario, Seat
from simworld.runner import Job, play_jobs

SEATS = tuple(
    Seat(name=name, persona=Persona(name=name.title()), goal="Talk.") for name in ("ann", "bo")
)
BENCH = Scenario(name="bench", setting="A bench.", seats=SEATS, limits=Limits(turns=8, silence=99))


class Unbounded:
    """A backend that does not say how much room it has."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner

    @property
    def info(self) -> ModelInfo:
        return self._inner.info

    def submit(self, request: Request) -> int:
        return self._inner.submit(request)

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        return self._inner.poll(wait_s)

    def close(self) -> None:
        self._inner.close()


def play(backend: TransformersBackend, *, bounded: bool = True) -> tuple[dict[int, list[str]], int]:
    """Twelve conversations: what was said, and how many tokens of prompts were read."""
    agent = LMAgent(
        id="tiny",
        model="hf:tiny",
        info=backend.info,
        template=PromptTemplate(style="script", instructions="{{goal}}"),
        sampling=Sampling(max_new_tokens=6, temperature=0.5),
        reasks=2,
        max_similarity=1.0,
    )
    jobs = [
        Job(
            item=WorkItem(
                run="r",
                scenario_id=BENCH.id,
                cast=dict.fromkeys(("ann", "bo"), "tiny"),
                repeat=repeat,
            ),
            attempt=1,
            scenario=BENCH,
            agents={"ann": agent, "bo": agent},
            seed=episode_seed(0, BENCH.id, repeat),
        )
        for repeat in range(12)
    ]
    agent_pool: dict[str, Backend] = {"hf:tiny": backend if bounded else Unbounded(backend)}
    played = list(play_jobs(jobs, agent_pool, max_live=12))
    said = {each.job.item.repeat: [act.action.text for act in each.episode.acts] for each in played}
    assert sum(each.episode.ending is Ending.turn_limit for each in played) > 6
    return said, backend.meter.prefill_tokens


@pytest.mark.parametrize("episodes", [1, 3])
def test_with_little_memory_fewer_play_and_nothing_is_read_twice(
    llama: Path, episodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # these conversations begin alike; sharing would hide what eviction costs
    for module in (decoding_batch, prefix_cache):
        monkeypatch.setattr(module, "MIN_SHARED_TOKENS", 10**9)

    def engine(budget: int | None) -> TransformersBackend:
        backend = load_backend(
            f"hf:{llama}", dtype="float32", device="cpu", batch_size=12, cache_bytes=budget
        )
        assert isinstance(backend, TransformersBackend)
        return backend

    said, needed = play(engine(None))
    token_bytes = 2 * 2 * 2 * 8 * 4  # keys and values, layers, heads, head size, float32
    budget = (
        2 * episodes * 2 * 256 * token_bytes
    )  # half of it is for parked threads: two of 256 tokens for each episode
    assert play(engine(budget)) == (said, needed)
    assert play(engine(budget), bounded=False)[1] > 1.2 * needed
