"""Stages that are done once for the same settings and inputs, and known again by what they left."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from simworld.code_version import code_version

_log = logging.getLogger(__name__)
# changes when stages do something else with the same settings: then all are done again
CACHE_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput:
    """What the work of a stage left."""

    path: str = ""  # a folder or file, relative to the work folder; empty where it is in the store
    failed: int = 0  # episodes or judgements
    fingerprint: str = ""  # which the cache fills in


# Does the work of a stage: given the pipeline's context, the stage's label, and the states of its
# inputs, in the order in which they are declared.
StageFunction = Callable[..., StageOutput]
# (context, label, path) → what a stage left as it is there now, in one text that changes exactly
# when it does; None where it is gone or damaged.
Fingerprint = Callable[[Any, str, str], str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A stage as it is declared."""

    name: str
    inputs: tuple[Stage, ...]
    settings: Mapping[str, Any]  # plain JSON; with those of its inputs they make its key
    function: StageFunction
    fingerprint: Fingerprint
    max_episodes: int = 0  # that it plays


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """What has become of a stage: done or, in a dry run, perhaps still to do."""

    name: str
    key: str  # of its settings and of the keys it builds on
    folder: Path  # of the work
    max_episodes: int  # that it plays
    output: StageOutput | None = None  # None: not done yet
    skipped: bool = False  # it was done before
    seconds: float = 0.0
    code_version: str = ""  # of simworld, when it was done

    @property
    def label(self) -> str:
        """Its name and eight digits of its key: what its run or folder is called."""
        return f"{self.name}-{self.key[:8]}"

    @property
    def path(self) -> Path:
        """The folder or file that it left. Raises ValueError where it is not done."""
        if self.output is None:
            raise ValueError(f"{self.label} is not done")
        return self.folder / self.output.path


class StageRecord(BaseModel):
    """A stage that was begun and, where it has an output, done; a file in the work folder."""

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


class StageCache:
    """Does stages, or in a dry run only says which would be done."""

    def __init__(
        self,
        folder: Path,
        *,
        dry: bool = False,
        retry_failed: bool = False,
        on_stage: Callable[[StageState], None] = lambda state: None,
    ) -> None:
        """Keeps records in `folder`; `on_stage` is told of each stage before (output None) and
        after it is done.

        With `retry_failed` a stage in which something failed counts as not done.
        """
        self._folder, self._on_stage = folder, on_stage
        self._dry_run, self._retry_failed = dry, retry_failed
        self._states_by_key: dict[str, StageState] = {}  # shared by the cells of a grid

    def run(self, stages: Iterable[Stage], context: Any) -> tuple[StageState, ...]:
        """Walks declared stages in order, and does each unless its record has the same settings and
        inputs and what it left is still there.

        A stage of an earlier version of simworld counts as done: what it left is as good as it was,
        and took long to make.

        Args:
            stages: each after its inputs.
            context: what their functions get first.

        Raises:
            InputError: what a stage got cannot be used.
            SimworldError: a stage cannot go on; those before it are kept.
        """
        states: dict[Stage, StageState] = {}
        for stage in stages:
            inputs = [states[source] for source in stage.inputs]
            input_keys = [state.key for state in inputs]
            key = _hash_json([CACHE_FORMAT, stage.name, stage.settings, input_keys])
            if (state := self._states_by_key.get(key)) is None:
                outputs = [each.output.fingerprint for each in inputs if each.output is not None]
                state = self._load_state(stage, key, outputs, context)
                self._on_stage(state)
                if state.output is None and not self._dry_run:
                    settings = dict(stage.settings)
                    record = StageRecord(
                        stage=stage.name, key=state.key, settings=settings, inputs=outputs
                    )
                    self._write_record(record)
                    started = time.monotonic()
                    stage_output = stage.function(context, state.label, *inputs)
                    finished = {
                        "output": stage.fingerprint(context, state.label, stage_output.path) or "",
                        "path": stage_output.path,
                        "failed": stage_output.failed,
                        "seconds": round(time.monotonic() - started, 3),
                        "code_version": code_version(),
                    }
                    record = record.model_copy(update=finished)
                    self._write_record(record)
                    state = _finished_state(state, record)
                    self._on_stage(state)
                self._states_by_key[key] = state
            states[stage] = state
        return tuple(states.values())

    def _load_state(self, stage: Stage, key: str, outputs: list[str], context: Any) -> StageState:
        """The stage as its record says; done only if what it left still stands."""
        played = stage.max_episodes
        state = StageState(name=stage.name, key=key, folder=self._folder, max_episodes=played)
        if len(outputs) < len(stage.inputs):
            return _to_do(state, "an input is not done yet")
        record = self._read_record(state)
        if record and record.inputs != outputs:
            # An input came out another, for something in it was done again. Runs and trainings that
            # began with the old one cannot go on with the new one, so the stage takes another name.
            _log.info("stage %s: an input is another now, so it takes another name", state.label)
            state = replace(state, key=_hash_json([key, outputs]))
            record = self._read_record(state)
        if record is None:
            return _to_do(state, "it was never begun")
        if not record.output:
            return _to_do(state, "it was begun and not ended")
        if self._retry_failed and record.failed:
            return _to_do(state, f"{record.failed} of it failed, which is to be tried again")
        if stage.fingerprint(context, state.label, record.path) != record.output:
            return _to_do(state, "what it left is gone or has changed")
        _log.info("stage %s: skipped, it is done", state.label)
        return replace(_finished_state(state, record), skipped=True)

    def _record_path(self, label: str) -> Path:
        return self._folder / "stages" / f"{label}.json"

    def _read_record(self, state: StageState) -> StageRecord | None:
        try:
            record = StageRecord.model_validate_json(self._record_path(state.label).read_bytes())
        except (OSError, ValidationError):
            return None  # none, or one of another version: the stage is done again
        return record if record.key == state.key else None

    def _write_record(self, record: StageRecord) -> None:
        file = self._record_path(f"{record.stage}-{record.key[:8]}")
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_text(record.model_dump_json(indent=1) + "\n", "utf-8")
        os.replace(temporary, file)


def _to_do(state: StageState, reason: str) -> StageState:
    _log.info("stage %s: to do, %s", state.label, reason)
    return state


def _finished_state(state: StageState, record: StageRecord) -> StageState:
    return replace(
        state,
        output=StageOutput(fingerprint=record.output, path=record.path, failed=record.failed),
        seconds=record.seconds,
        code_version=record.code_version,
    )


def _hash_json(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
