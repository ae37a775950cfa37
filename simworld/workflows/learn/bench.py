"""The workbench: stages that are done once for the same settings and inputs, and known again by what they left behind."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT = 1  # changes when stages do something else with the same settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a stage left: `output` changes exactly when its content does."""

    output: str
    path: str = ""  # a folder or file, relative to the work folder; empty where it is in the store
    failed: int = 0  # episodes or judgements


class Record(BaseModel):
    """A stage that was done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    key: str
    settings: dict[str, Any]
    inputs: list[str]
    output: str
    path: str
    failed: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of one loop, done or, in a dry run, perhaps still to do."""

    name: str
    key: str  # of its settings and of the keys it builds on
    made: Made | None  # None: not done yet
    skipped: bool  # it was done before
    episodes: int  # it plays, at most
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """Its name and eight digits of its key: what its run or folder is called."""
        return f"{self.name}-{self.key[:8]}"


Work = Callable[[str], Made]  # told the stage's label
Look = Callable[[Record], str | None]  # the output as it is there now; None where it is gone


class Bench:
    """Does stages, or in a dry run only says which would be done."""

    def __init__(
        self, folder: Path, *, dry: bool = False, on_stage: Callable[[Stage], None] = lambda stage: None
    ) -> None:
        """Keeps records in `folder`; `on_stage` is told of each stage before (made None) and after it is done."""
        self.folder, self.dry, self._tell = folder, dry, on_stage
        self._seen: dict[str, Stage] = {}  # shared by the cells of a grid

    def do(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Sequence[Stage],
        work: Work,
        look: Look,
        *,
        episodes: int = 0,
    ) -> Stage:
        """The stage, done now unless its record has the same settings and inputs and what it left is still there."""
        content = json.dumps([FORMAT, name, settings, [stage.key for stage in inputs]], sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()[:32]
        if key in self._seen:
            return self._seen[key]
        outputs = [stage.made.output for stage in inputs if stage.made is not None]
        record = self._record(name, key)
        stage = Stage(name=name, key=key, made=None, skipped=False, episodes=episodes)
        if record and len(outputs) == len(inputs) and record.inputs == outputs and look(record) == record.output:
            made = Made(output=record.output, path=record.path, failed=record.failed)
            stage = Stage(name=name, key=key, made=made, skipped=True, episodes=episodes, seconds=record.seconds)
            self._tell(stage)
        else:
            self._tell(stage)
            if not self.dry:
                started = time.monotonic()
                made = work(stage.label)
                seconds = time.monotonic() - started
                self._keep(
                    Record(
                        stage=name,
                        key=key,
                        settings=dict(settings),
                        inputs=outputs,
                        output=made.output,
                        path=made.path,
                        failed=made.failed,
                        seconds=round(seconds, 3),
                    )
                )
                stage = Stage(name=name, key=key, made=made, skipped=False, episodes=episodes, seconds=seconds)
                self._tell(stage)
        self._seen[key] = stage
        return stage

    def _file(self, name: str, key: str) -> Path:
        return self.folder / "stages" / f"{name}-{key[:8]}.json"

    def _record(self, name: str, key: str) -> Record | None:
        try:
            record = Record.model_validate_json(self._file(name, key).read_bytes())
        except (OSError, ValidationError):
            return None  # none, or one of another version: the stage is done again
        return record if record.key == key else None

    def _keep(self, record: Record) -> None:
        file = self._file(record.stage, record.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(f".{os.getpid()}")
        written.write_text(record.model_dump_json(indent=1) + "\n", "utf-8")
        os.replace(written, file)
