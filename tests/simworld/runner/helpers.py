"""An agent that asks a model, for tests whose model is none."""

from __future__ import annotations

from agents.lm_agent import LMAgent
from agents.prompting import PromptTemplate
from simworld.core.requests import ModelInfo, Sampling

MODEL = "fake:model"


def talker(name: str = "lm", *, new: int = 30) -> LMAgent:
    """Says what the model says."""
    return LMAgent(
        id=name,
        model=MODEL,
        info=ModelInfo(spec=MODEL, id="fake", dtype="float32", context=None),
        template=PromptTemplate(style="script", instructions="{{goal}}"),
        sampling=Sampling(max_new_tokens=new),
    )
