"""Distributions with entry points, installed into a folder of the test's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

AGENTS = "simworld.agents"

ECHO = """
    from pydantic import BaseModel, ConfigDict, Field

    from simworld import Act, Action, ActionKind, AgentKind


    class EchoSettings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)
        line: str = "Hm."
        volume: int = Field(default=1, ge=1, le=3)


    class Echo:
        def __init__(self, settings, parts):
            self.id, self.model, self._line = parts.id, parts.model, settings.line

        def act(self, observation):
            heard = [event.action.text for event in observation.events]
            text = heard[-1] if heard else self._line
            return Act(seat=observation.seat, action=Action(kind=ActionKind.speak, text=text))
            yield


    echo = AgentKind(settings=EchoSettings, make=Echo)
"""


class Installation:
    """A folder on the path that packages are installed into."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        folder.mkdir(exist_ok=True)
        monkeypatch.syspath_prepend(str(folder))

    def add(
        self,
        entry_points: Mapping[str, Mapping[str, str]],
        *,
        distribution: str = "barter",
        version: str = "0.1.0",
        module: str = "barter",
        code: str = ECHO,
    ) -> None:
        """Installs a distribution of one module; entry points are by group, then by name."""
        # another one of the same size within the same second must not be taken for it
        (self.folder / f"{module}.py").write_text(dedent(code), "utf-8")
        self._monkeypatch.delitem(sys.modules, module, raising=False)
        info = self.folder / f"{distribution}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata, "utf-8")
        lines = []
        for group, objects in entry_points.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in objects.items()), ""]
        (info / "entry_points.txt").write_text("\n".join(lines), "utf-8")
        sys.path_importer_cache.pop(str(self.folder), None)
        _forget()

    def remove(self, distribution: str = "barter") -> None:
        """Uninstalls a distribution; its module stays imported, and is found no more."""
        for folder in self.folder.glob(f"{distribution}-*.dist-info"):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        _forget()

    def forget_code(self, module: str = "barter") -> None:
        """As a new process would: the module is not imported yet."""
        sys.modules.pop(module, None)
        _forget()


def _forget() -> None:
    from simworld.extensions import installed

    installed._read_entry_points.cache_clear()


JUDGES = "simworld.judges"

COUNTING_JUDGE = """
    from pydantic import BaseModel, ConfigDict, Field

    from simworld import JudgeMethod, Verdict


    class CountSettings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)
        word: str = "thank"
        points: float = Field(default=1.0, gt=0)


    def count(settings, task):
        verdicts = []
        for seat in task.seats:
            said = " ".join(a.action.text for a in task.episode.acts if a.seat == seat)
            found = said.lower().count(settings.word) * settings.points
            for d in task.rubric.dimensions:
                score = min(d.high, max(d.low, d.low + found))
                verdicts.append(Verdict(seat=seat, dimension=d.name, score=score))
        return tuple(verdicts)


    counting = JudgeMethod(settings=CountSettings, judge=count, asks_model=False)
"""


REWARDS, LEARNERS = "simworld.rewards", "simworld.learners"

SHORT_LINES_REWARD = """
    from pydantic import BaseModel, ConfigDict, Field

    from simworld import RewardKind


    class ShortSettings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)
        words: int = Field(default=5, ge=1)


    def make(settings):
        return lambda turns: [float(len(t.text) % settings.words) for t in turns]


    short = RewardKind(settings=ShortSettings, make=make)
"""

NEAR_LEARNER = """
    import torch
    from pydantic import BaseModel, ConfigDict, Field

    from simworld import LearnerKind


    class NearSettings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)
        rate: float = Field(default=1e-3, gt=0)


    class Near:
        critic = None

        def __init__(self, settings, parts):
            self.actor = parts.actor
            self._adam = torch.optim.Adam(parts.actor.parameters(), lr=settings.rate)

        def update(self, batch):
            off = (self.actor(batch.states) - batch.actions).square().mean(1)
            loss = (off * batch.rewards.clamp(min=0)).mean()
            self._adam.zero_grad()
            loss.backward()
            self._adam.step()
            return {"loss": loss.detach()}

        def state_dict(self):
            return {f"actor.{k}": v for k, v in self.actor.state_dict().items()}

        def load_state_dict(self, state):
            self.actor.load_state_dict({k[6:]: v for k, v in state.items()})


    near = LearnerKind(settings=NearSettings, make=Near)
"""


BACKENDS = "simworld.backends"

PARROT_BACKEND = """
    from pydantic import BaseModel, ConfigDict

    from simworld import BackendKind
    from simworld.core.errors import model_failure
    from simworld.core.requests import Finished, Generate, Generated, ModelInfo


    class ParrotSettings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)
        say: str = "Polly wants a cracker."


    class Parrot:
        def __init__(self, settings, parts):
            self.info = ModelInfo(spec=parts.spec, id=parts.name, dtype="", context=None)
            self._say, self._open, self._tickets = settings.say, [], 0

        def submit(self, request):
            self._tickets += 1
            if isinstance(request, Generate) and request.prefix is None:
                text = self._say.split(".")[0] if "." in request.stop else self._say
                words = text.split()[: request.sampling.max_new_tokens]
                done = Generated(text=" ".join(words), prompt_tokens=1, new_tokens=len(words),
                                 finish="stop", latency_s=0.0)
            else:
                done = model_failure("unsupported", "a parrot only talks")
            self._open.append(Finished(ticket=self._tickets, completion=done))
            return self._tickets

        def poll(self, wait_s=None):
            done, self._open = self._open, []
            return done

        def close(self):
            pass


    parrot = BackendKind(settings=ParrotSettings, make=Parrot, identify=lambda name: name)
"""


MEASURES, EXPLORATIONS = "simworld.measures", "simworld.explorations"

LETTERS_MEASURE = """
    from pydantic import BaseModel, ConfigDict

    from simworld import MeasureKind


    class LetterSettings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)
        letter: str = "e"


    def count(settings, played):
        said = "".join(act.action.text for act in played.acts)
        return said.count(settings.letter) if said else None


    letters = MeasureKind(settings=LetterSettings, measure=count)
"""

FLIP_EXPLORATION = """
    from pydantic import BaseModel, ConfigDict

    from simworld import ExplorationKind


    class FlipSettings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)
        share: float = 0.5


    def flip(settings, task):
        return -task.planned if task.rng.random() < settings.share else task.planned


    flipped = ExplorationKind(settings=FlipSettings, explore=flip)
"""

ASKING_AGENT = """
    from simworld import Act, Action, ActionKind, AgentKind, Failure
    from simworld.core.requests import ChatPrompt, Message, Sampling
    from simworld.extensions import NoSettings


    class Asking:
        def __init__(self, settings, parts):
            self.id, self.model = parts.id, parts.model

        def act(self, observation):
            prompt = ChatPrompt(messages=(Message(role="user", content="Say something."),))
            answer = yield Generate(
                prompt=prompt, sampling=Sampling(max_new_tokens=8), seed=observation.seed
            )
            if isinstance(answer, Failure):
                return answer
            action = Action(kind=ActionKind.speak, text=answer.text)
            return Act(seat=observation.seat, action=action)


    asking = AgentKind(settings=NoSettings, make=Asking)
"""
