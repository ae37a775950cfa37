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
