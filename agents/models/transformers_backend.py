"""The in-process backend: requests queue up, `poll` lets a batch of them run and returns rows as they finish.

New rows join the batch between its steps, up to `batch_size` rows and the memory that is theirs. A step that fails puts all rows of
the batch out; they are halved and tried again until the row that makes it fail is alone with its failure; so running out of memory
costs time, not results. Decoding again draws the same tokens, for each row's random numbers hang on its seed alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.models.decoding import Batch
from agents.models.local_model import LocalModel
from agents.models.memory import default_budget
from agents.models.meter import Meter
from agents.models.prompts import Continuation, PromptError
from agents.models.rows import Row, new_row
from agents.models.scoring import score
from agents.models.threads import Threads
from simworld.core.errors import Failure
from simworld.core.requests import Completion, Finished, Generate, ModelInfo, Request, Score, Scored

READ_AT_ONCE = 1024  # prompt tokens that join a step, unless a single prompt is longer
_THREADS_PER_ROW = 8  # threads parked, at most, for each row of the batch: bounds what ended conversations leave behind
_FEWEST_THREADS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scoring:
    ticket: int
    request: Score
    submitted: float  # perf_counter, seconds


class TransformersBackend:
    """A Backend around one local model. Not for several threads at once."""

    def __init__(
        self,
        local: LocalModel,
        *,
        spec: str,
        model_id: str,
        batch_size: int = 32,
        cache_bytes: int | None = None,
        meta: Mapping[str, str] | None = None,
    ) -> None:
        """Works with a loaded model.

        Args:
            local: the model.
            spec: as the user wrote it.
            model_id: hash of the weights.
            batch_size: rows decoded together, at most.
            cache_bytes: for all caches together; half of it for the rows under way. Default: a quarter of the free memory.
            meta: for `info`.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        budget = default_budget(local.device) if cache_bytes is None else cache_bytes
        self.meter = Meter()
        self._local: LocalModel | None = local
        self._info = ModelInfo(spec=spec, id=model_id, dtype=local.dtype, context=local.context, meta=dict(meta or {}))
        self._batch_size = batch_size
        self._tickets = 0
        self._done: list[Finished] = []
        self._waiting: deque[Row] = deque()  # in the order submitted
        self._halves: deque[list[Row]] = deque()  # of batches that failed
        self._scorings: deque[_Scoring] = deque()
        self._slab_bytes = budget // 2
        self._threads = Threads(
            local.shape, budget=budget - budget // 2, count=max(_FEWEST_THREADS, _THREADS_PER_ROW * batch_size)
        )
        self._batch = Batch(local, self._threads, self.meter)
        self._apart = False  # the rows of the batch are a part of one that failed: no others join

    @property
    def info(self) -> ModelInfo:
        """What runs here."""
        return self._info

    def submit(self, request: Request) -> int:
        """A ticket for the request; a request that cannot be served is answered with a Failure by the next poll."""
        local = self._open()
        ticket, now = self._tickets, time.perf_counter()
        self._tickets += 1
        try:
            if isinstance(request, Score):
                self._scorings.append(_Scoring(ticket=ticket, request=request, submitted=now))
            elif not isinstance(request, Generate):
                self._fail(ticket, "unsupported", f"a language model cannot answer {type(request).__name__}")
            elif request.sampling.max_new_tokens < 1:
                self._fail(
                    ticket, "invalid", f"max_new_tokens is {request.sampling.max_new_tokens}; it must be at least 1"
                )
            elif request.json_schema is not None:
                self._fail(
                    ticket, "unsupported", "structured output needs a server (openai:…); a local model writes free text"
                )
            else:
                ids = local.renderer.ids(request.prompt)
                row = new_row(ticket, request, ids, now, local.renderer.begun(request.prompt, ids))
                if self._fits(ticket, len(row.ids), request.sampling.max_new_tokens):
                    self._waiting.append(row)
        except PromptError as error:
            self._fail(ticket, "prompt", str(error))
        except Exception as error:  # the boundary: text that the tokenizer chokes on fails alone
            self._done.append(Finished(ticket=ticket, completion=_caught(error)))
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Works until a ticket is done, nothing is left to do, or `wait_s` seconds are over (one step may take longer)."""
        self._open()
        until = None if wait_s is None else time.perf_counter() + wait_s
        while not self._done and self._work():
            if until is not None and time.perf_counter() >= until:
                break
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Lets go of the model; open tickets are lost."""
        self._local = None
        self._batch.empty()
        self._threads.clear()
        self._waiting.clear()
        self._done = []
        self._halves.clear()
        self._scorings.clear()

    def _open(self) -> LocalModel:
        if self._local is None:
            raise RuntimeError("the backend is closed")
        return self._local

    def _work(self) -> bool:
        """Does one piece of work; False if there was none."""
        if self._scorings:
            self._score(self._scorings.popleft())
            return True
        try:
            self._refill()
            if not self._batch.rows:
                return False
            done = self._batch.step()
        except Exception as error:  # the boundary: a failure of the model is data
            self._halve(error)
            return True
        self._done.extend(Finished(ticket=row.ticket, completion=completion) for row, completion in done)
        return True

    def _refill(self) -> None:
        """Lets waiting rows join, first come, first served."""
        if not self._batch.rows:
            self._apart = bool(self._halves)
        if self._apart:
            if not self._batch.rows:
                for row in self._halves.popleft():
                    self._join(row)
            return
        read, batch = 0, self._batch
        while self._waiting and len(batch.rows) < self._batch_size:
            row = self._waiting[0]
            unread = batch.unread(row)
            if read and read + unread > READ_AT_ONCE:
                return
            if batch.rows and batch.bytes_with(row) > self._slab_bytes:
                return
            self._join(self._waiting.popleft())
            read += unread

    def _join(self, row: Row) -> None:
        """Lets a row in; one that cannot be let in, for want of memory say, fails alone."""
        try:
            self._batch.join(row)
        except Exception as error:  # the boundary, as in `_work`
            self._done.append(Finished(ticket=row.ticket, completion=_caught(error)))

    def _halve(self, error: Exception) -> None:
        rows = self._batch.empty()
        if len(rows) == 1:
            self._done.append(Finished(ticket=rows[0].ticket, completion=_caught(error)))
            return
        for row in rows:
            row.restart()
        middle = len(rows) // 2
        self._halves.extend((rows[:middle], rows[middle:]))
        self._apart = True

    def _score(self, work: _Scoring) -> None:
        local, request = self._open(), work.request
        completion: Completion
        try:
            parts = local.renderer.continuations(request.prompt, request.continuations)
            length = len(local.renderer.ids(request.prompt))
            if not self._fits(work.ticket, max((len(p.ids) for p in parts), default=length), 0):
                return
            completion = Scored(
                logprobs=tuple(self._likelihoods(request.thread, parts) if parts else ()),
                lengths=tuple(len(p.ids) - p.start for p in parts),
                prompt_tokens=length,
                latency_s=time.perf_counter() - work.submitted,
                dtype=local.dtype,
            )
        except PromptError as error:
            completion = Failure(boundary="model", kind="prompt", message=str(error))
        except Exception as error:  # the boundary, as above
            completion = _caught(error)
        self._done.append(Finished(ticket=work.ticket, completion=completion))

    def _likelihoods(self, thread: str, parts: Sequence[Continuation]) -> list[float]:
        begun = time.perf_counter()
        try:
            return score(self._open(), self._threads, self.meter, thread, parts)
        except Exception:
            self._threads.forget(thread)  # half written
            raise
        finally:
            self.meter.add("score", begun, time.perf_counter())

    def _fits(self, ticket: int, prompt: int, reply: int) -> bool:
        context = self._open().context
        if context is None or prompt + reply <= context:
            return True
        asked = f"{prompt} prompt tokens and up to {reply} new ones" if reply else f"{prompt} tokens"
        self._fail(ticket, "too-long", f"{asked} do not fit the model's context of {context}")
        return False

    def _fail(self, ticket: int, kind: str, message: str) -> None:
        self._done.append(Finished(ticket=ticket, completion=Failure(boundary="model", kind=kind, message=message)))


def _caught(error: Exception) -> Failure:
    lines = str(error).strip().splitlines()
    message = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    memory = (
        isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in message
    )
    return Failure(boundary="model", kind="out-of-memory" if memory else "error", message=message)
