"""Requests, and an agent that asks a model, for tests whose model is none."""

from __future__ import annotations

from agents.lm_agent import LMAgent
from agents.prompting import PromptTemplate
from simworld.core.requests import Generate, ModelInfo, Sampling, TextPrompt

MODEL = "fake:model"


def generate_request(
    text: str = "Hello", *, seed: int = 0, stop: tuple[str, ...] = (), most: int = 64
) -> Generate:
    return Generate(
        prompt=TextPrompt(text=text), sampling=Sampling(max_new_tokens=most), seed=seed, stop=stop
    )


def talking_agent(name: str = "lm", *, new: int = 30) -> LMAgent:
    """Says what the model says."""
    return LMAgent(
        id=name,
        model=MODEL,
        info=ModelInfo(spec=MODEL, id="fake", dtype="float32", context=None),
        template=PromptTemplate(style="script", instructions="{{goal}}"),
        sampling=Sampling(max_new_tokens=new),
    )
