"""The workbench: stages that are done once for the same settings and inputs, and known again by
what they left behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from simworld.code_version import code_version

FORMAT = 1  # changes when stages do something else with the same settings: then all are done again


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput:
    """What a stage left: `output` changes exactly when its content does."""

    output: str
    path: str = ""  # a folder or file, relative to the work folder; empty where it is in the store
    failed: int = 0  # episodes or judgements


class StageRecord(BaseModel):
    """A stage that was begun and, where it has an output, done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    key: str
    settings: dict[str, Any]
    inputs: list[str]
    output: str = ""
    path: str = ""
    failed: int = 0
    seconds: float = 0.0
    code_version: str = ""  # of simworld, when it was done; empty: of a version that did not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of one loop, done or, in a dry run, perhaps still to do."""

    name: str
    key: str  # of its settings and of the keys it builds on
    made: StageOutput | None  # None: not done yet
    skipped: bool  # it was done before
    episodes: int  # it plays, at most
    seconds: float = 0.0
    code_version: str = ""  # of simworld, when it was done

    @property
    def label(self) -> str:
        """Its name and eight digits of its key: what its run or folder is called."""
        return f"{self.name}-{self.key[:8]}"


StageFunction = Callable[[str], StageOutput]  # told the stage's label
Fingerprint = Callable[
    [StageRecord], str | None
]  # the output as it is there now; None where it is gone


class StageCache:
    """Does stages, or in a dry run only says which would be done."""

    def __init__(
        self,
        folder: Path,
        *,
        dry: bool = False,
        retry_failed: bool = False,
        on_stage: Callable[[Stage], None] = lambda stage: None,
    ) -> None:
        """Keeps records in `folder`; `on_stage` is told of each stage before (made None) and after
        it is done.

        With `retry_failed` a stage in which something failed counts as not done.
        """
        self.folder, self.dry, self._retry, self._tell = folder, dry, retry_failed, on_stage
        self._seen: dict[str, Stage] = {}  # shared by the cells of a grid

    def do(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Sequence[Stage],
        work: StageFunction,
        look: Fingerprint,
        *,
        episodes: int = 0,
    ) -> Stage:
        """The stage, done now unless its record has the same settings and inputs and what it left
        is still there.

        A stage of an earlier version of simworld counts as done: what it left is as good as it was,
        and took long to make.
        """
        key = _hash([FORMAT, name, settings, [stage.key for stage in inputs]])
        if key in self._seen:
            return self._seen[key]
        outputs = [stage.made.output for stage in inputs if stage.made is not None]
        stage, record = (
            Stage(name=name, key=key, made=None, skipped=False, episodes=episodes),
            self._record(name, key),
        )
        if len(outputs) < len(inputs):
            record = None
        elif record and record.inputs != outputs:
            # An input came out another, for something in it was done again. Runs and trainings that
            # began with the old one cannot go on with the new one, so the stage takes another name.
            stage = replace(stage, key=_hash([key, outputs]))
            record = self._record(name, stage.key)
        if record and self._stands(record, look):
            made = StageOutput(output=record.output, path=record.path, failed=record.failed)
            stage = replace(
                stage,
                made=made,
                skipped=True,
                seconds=record.seconds,
                code_version=record.code_version,
            )
            self._tell(stage)
        else:
            self._tell(stage)
            if not self.dry:
                stage = self._done(stage, settings, outputs, work)
                self._tell(stage)
        self._seen[key] = stage
        return stage

    def _stands(self, record: StageRecord, look: Fingerprint) -> bool:
        failed = self._retry and record.failed
        return bool(record.output) and not failed and look(record) == record.output

    def _done(
        self, stage: Stage, settings: Mapping[str, Any], outputs: list[str], work: StageFunction
    ) -> Stage:
        record = StageRecord(
            stage=stage.name, key=stage.key, settings=dict(settings), inputs=outputs
        )
        self._keep(record)
        started = time.monotonic()
        made = work(stage.label)
        seconds = time.monotonic() - started
        left = {
            "output": made.output,
            "path": made.path,
            "failed": made.failed,
            "seconds": round(seconds, 3),
        }
        self._keep(record.model_copy(update={**left, "code_version": code_version()}))
        return replace(stage, made=made, seconds=seconds, code_version=code_version())

    def _file(self, name: str, key: str) -> Path:
        return self.folder / "stages" / f"{name}-{key[:8]}.json"

    def _record(self, name: str, key: str) -> StageRecord | None:
        try:
            record = StageRecord.model_validate_json(self._file(name, key).read_bytes())
        except (OSError, ValidationError):
            return None  # none, or one of another version: the stage is done again
        return record if record.key == key else None

    def _keep(self, record: StageRecord) -> None:
        file = self._file(record.stage, record.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(f".{os.getpid()}")
        written.write_text(record.model_dump_json(indent=1) + "\n", "utf-8")
        os.replace(written, file)


def _hash(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
