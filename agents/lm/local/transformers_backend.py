"""The in-process backend: requests queue up, `poll` lets a batch of them run and returns rows as
they finish.

New rows join the batch between its steps, up to `batch_size` rows and the memory that is theirs. A
step that fails puts all rows of the batch out; they are halved and tried again until the row that
makes it fail is alone with its failure; so running out of memory costs time, not results. Decoding
again draws the same tokens, for each row's random numbers hang on its seed alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.lm.local.decoding_batch import DecodingBatch
from agents.lm.local.decoding_row import DecodingRow
from agents.lm.local.local_model import LocalModel
from agents.lm.local.memory import default_budget
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import PrefixCache
from agents.lm.local.prompt_tokens import Continuation, PromptError
from agents.lm.local.row_from_request import prepare_row, refusal, too_long
from agents.lm.local.scoring import score
from simworld.core.errors import Failure
from simworld.core.profile import ProfilePart
from simworld.core.requests import Finished, ModelInfo, Request, Score, Scored

READ_AT_ONCE = 1024  # prompt tokens that join a step, unless a single prompt is longer
# threads parked, at most, for each row of the batch: bounds what ended conversations leave behind
_THREADS_PER_ROW = 8
_FEWEST_THREADS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScoringWork:
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
            cache_bytes: for all caches together; half of it for the rows under way. Default: a
                quarter of the free memory.
            meta: for `info`.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        budget = default_budget(local.device) if cache_bytes is None else cache_bytes
        self.meter = Meter()
        self._local: LocalModel | None = local
        self._info = ModelInfo(
            spec=spec,
            id=model_id,
            dtype=local.dtype,
            context=local.context,
            width=local.width,
            embedding_norm=local.embedding_norm,
            meta=dict(meta or {}),
        )
        self._batch_size = batch_size
        self._tickets = 0
        self._done: list[Finished] = []
        self._waiting: deque[DecodingRow] = deque()  # in the order submitted
        self._halves: deque[list[DecodingRow]] = deque()  # of batches that failed
        self._scorings: deque[_ScoringWork] = deque()
        self._slab_bytes = budget // 2
        self._prefix_cache = PrefixCache(
            local.shape,
            budget=budget - budget // 2,
            count=max(_FEWEST_THREADS, _THREADS_PER_ROW * batch_size),
        )
        self._batch = DecodingBatch(local, self._prefix_cache, self.meter)
        self._apart = False  # the rows of the batch are a part of one that failed: no others join

    @property
    def info(self) -> ModelInfo:
        """What runs here."""
        return self._info

    @property
    def local(self) -> LocalModel:
        """The model it works with, to read it or to look into it. Raises RuntimeError after
        `close`.
        """
        if self._local is None:
            raise RuntimeError("the backend is closed")
        return self._local

    def submit(self, request: Request) -> int:
        """A ticket for the request; a request that cannot be served is answered with a Failure by
        the next poll.
        """
        local, ticket, now = self.local, self._tickets, time.perf_counter()
        self._tickets += 1
        try:
            if isinstance(request, Score):
                self._scorings.append(_ScoringWork(ticket=ticket, request=request, submitted=now))
                return ticket
            taken = prepare_row(local, ticket, request, now)
            self.meter.add("tokenise", now, time.perf_counter())
        except PromptError as error:
            taken = refusal("prompt", str(error))
        except Exception as error:  # the boundary: text that the tokenizer chokes on fails alone
            taken = _caught(error)
        if isinstance(taken, Failure):
            self._done.append(Finished(ticket=ticket, completion=taken))
        else:
            self.meter.tokenised += len(taken.ids)
            self._waiting.append(taken)
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Works until a ticket is done, nothing is left to do, or `wait_s` seconds are over (one
        step may take longer).
        """
        _ = self.local  # raises after `close`
        until = None if wait_s is None else time.perf_counter() + wait_s
        while not self._done and self._work():
            if until is not None and time.perf_counter() >= until:
                break
        done, self._done = self._done, []
        return done

    def memory_share(self, tokens: int) -> float:
        """The part of the memory for threads that one of so many tokens takes."""
        return self._prefix_cache.memory_share(tokens)

    def forget_threads(self, threads: Iterable[str]) -> None:
        """Drops the caches of threads that are over."""
        for name in threads:
            self._prefix_cache.forget(name)

    def parts_spent(self) -> Mapping[str, ProfilePart]:
        """Where the time went since the backend was made."""
        return self.meter.parts()

    def close(self) -> None:
        """Lets go of the model; open tickets are lost."""
        self._local = None
        self._batch.empty()
        self._prefix_cache.clear()
        self._waiting.clear()
        self._done = []
        self._halves.clear()
        self._scorings.clear()

    def _work(self) -> bool:
        """Does one piece of work; False if there was none."""
        if self._scorings:
            self._score(self._alike())
            return True
        try:
            self._refill()
            if not self._batch.rows:
                return False
            done = self._batch.step()
        except Exception as error:  # the boundary: a failure of the model is data
            self._halve(error)
            return True
        self._done.extend(
            Finished(ticket=row.ticket, completion=completion) for row, completion in done
        )
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

    def _join(self, row: DecodingRow) -> None:
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

    def _alike(self) -> list[_ScoringWork]:
        """The first open scoring, and the others on its thread: what their prompts begin with is
        read once for all.
        """
        first = self._scorings.popleft()
        if not first.request.thread:
            return [first]
        alike = [other for other in self._scorings if other.request.thread == first.request.thread]
        self._scorings = deque(
            other for other in self._scorings if other.request.thread != first.request.thread
        )
        return [first, *alike]

    def _score(self, works: Sequence[_ScoringWork]) -> None:
        """Answers scorings of one thread; where they fail together, each is tried alone."""
        fit = [(work, *split) for work in works if (split := self._split(work)) is not None]
        parts = [part for _, found, _ in fit for part in found]
        try:
            logprobs = self._likelihoods(works[0].request.thread, parts) if parts else []
        except Exception as error:  # the boundary: a failure of the model is data
            if len(works) > 1:
                for work, _, _ in fit:
                    self._score([work])
            else:
                self._done.append(Finished(ticket=works[0].ticket, completion=_caught(error)))
            return
        at, now = 0, time.perf_counter()
        for work, found, length in fit:
            completion = Scored(
                logprobs=tuple(logprobs[at : at + len(found)]),
                lengths=tuple(len(part.ids) - part.start for part in found),
                prompt_tokens=length,
                latency_s=now - work.submitted,
                dtype=self._info.dtype,
            )
            at += len(found)
            self._done.append(Finished(ticket=work.ticket, completion=completion))

    def _split(self, work: _ScoringWork) -> tuple[list[Continuation], int] | None:
        """A scoring's continuations in tokens and its prompt's length; None where it is answered
        with a failure already.
        """
        local, request, begun = self.local, work.request, time.perf_counter()
        failure: Failure | None
        try:
            parts = local.renderer.continuations(request.prompt, request.continuations)
            length = len(local.renderer.ids(request.prompt))
            failure = too_long(local, max((len(part.ids) for part in parts), default=length), 0)
        except PromptError as error:
            failure = refusal("prompt", str(error))
        except Exception as error:  # the boundary: text that the tokenizer chokes on fails alone
            failure = _caught(error)
        self.meter.add("tokenise", begun, time.perf_counter())
        if failure is not None:
            self._done.append(Finished(ticket=work.ticket, completion=failure))
            return None
        self.meter.tokenised += length + sum(len(part.ids) - part.start for part in parts)
        return parts, length

    def _likelihoods(self, thread: str, parts: Sequence[Continuation]) -> list[float]:
        begun = time.perf_counter()
        try:
            return score(self.local, self._prefix_cache, self.meter, thread, parts)
        except Exception:
            self._prefix_cache.forget(thread)  # half written
            raise
        finally:
            self.meter.add("score", begun, time.perf_counter())


def _caught(error: Exception) -> Failure:
    lines = str(error).strip().splitlines()
    message = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    memory = (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "allocate memory" in message
    )
    return Failure(boundary="model", kind="out-of-memory" if memory else "error", message=message)
