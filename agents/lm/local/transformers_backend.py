"""The in-process backend: requests queue up, `poll` lets a batch of them run and returns rows as
they finish.

New rows join the batch between its steps, up to `batch_size` rows and the memory that is theirs. A
step that fails puts all rows of the batch out; they are halved and tried again until the row that
makes it fail is alone with its failure; so running out of memory costs time, not results. Decoding
again draws the same tokens, for each row's random numbers hang on its seed alone.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.lm.local.decoding_batch import DecodingBatch
from agents.lm.local.decoding_row import DecodingRow
from agents.lm.local.local_model import LocalModel
from agents.lm.local.memory import default_cache_budget
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import PrefixCache
from agents.lm.local.prompt_tokenizer import Continuation, PromptError
from agents.lm.local.row_from_request import context_failure, prepare_row
from agents.lm.local.scoring import score_continuations
from simworld.core.errors import Failure, model_failure
from simworld.core.profile import ProfilePart
from simworld.core.requests import Completion, Finished, ModelInfo, Request, Score, Scored

_log = logging.getLogger(f"simworld.{__name__}")
MAX_PREFILL_TOKENS = 1024  # prompt tokens that join a step, unless a single prompt is longer
# threads kept, at most, for each row of the batch: bounds what ended conversations leave behind
_THREADS_PER_ROW = 8
_MIN_THREADS = 256


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
        budget = default_cache_budget(local.device) if cache_bytes is None else cache_bytes
        _log.info("caches of %s: %.0f MB", spec, budget / 1e6)
        self.meter = Meter()
        self._local: LocalModel | None = local
        self.info = ModelInfo(
            spec=spec,
            id=model_id,
            dtype=local.dtype,
            context=local.context_length,
            width=local.width,
            embedding_norm=local.embedding_norm,
            meta=dict(meta or {}),
        )
        self._batch_size = batch_size
        self._next_ticket = 0
        self._finished: list[Finished] = []
        self._waiting: deque[DecodingRow] = deque()  # in the order submitted
        self._batches_to_retry: deque[list[DecodingRow]] = deque()  # of batches that failed
        self._scorings: deque[_ScoringWork] = deque()
        self._batch_bytes = budget // 2
        self._prefix_cache = PrefixCache(
            local.cache_shape,
            budget_bytes=budget - budget // 2,
            max_threads=max(_MIN_THREADS, _THREADS_PER_ROW * batch_size),
        )
        self._batch = DecodingBatch(local, self._prefix_cache, self.meter)
        # the rows of the batch are a part of one that failed: no others join
        self._retrying_half = False

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
        local, ticket, now = self.local, self._next_ticket, time.perf_counter()
        self._next_ticket += 1
        try:
            if isinstance(request, Score):
                self._scorings.append(_ScoringWork(ticket=ticket, request=request, submitted=now))
                return ticket
            row = prepare_row(local, ticket, request, now)
            self.meter.add_time("tokenise", now, time.perf_counter())
        except PromptError as error:
            row = model_failure("prompt", str(error))
        except Exception as error:  # the boundary: text that the tokenizer chokes on fails alone
            row = _failure_from(error)
        if isinstance(row, Failure):
            self._finish(ticket, row)
        else:
            self.meter.tokenised_tokens += len(row.input_ids)
            self._waiting.append(row)
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Works until a ticket is done, nothing is left to do, or `wait_s` seconds are over (one
        step may take longer).
        """
        _ = self.local  # raises after `close`
        until = None if wait_s is None else time.perf_counter() + wait_s
        while not self._finished and self._work_once():
            if until is not None and time.perf_counter() >= until:
                break
        done, self._finished = self._finished, []
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
        return self.meter.profile_parts()

    def close(self) -> None:
        """Lets go of the model; open tickets are lost."""
        self._local = None
        self._batch.remove_all()
        self._prefix_cache.clear()
        self._waiting.clear()
        self._finished = []
        self._batches_to_retry.clear()
        self._scorings.clear()

    def _work_once(self) -> bool:
        """Does one piece of work; False if there was none."""
        if self._scorings:
            self._score(self._take_scorings_of_thread())
            return True
        try:
            self._admit_rows()
            if not self._batch.rows:
                return False
            done = self._batch.step()
        except Exception as error:  # the boundary: a failure of the model is data
            self._halve_failed_batch(error)
            return True
        for row, completion in done:
            self._finish(row.ticket, completion)
        return True

    def _finish(self, ticket: int, completion: Completion) -> None:
        self._finished.append(Finished(ticket=ticket, completion=completion))

    def _admit_rows(self) -> None:
        """Lets waiting rows join, first come, first served."""
        if not self._batch.rows:
            self._retrying_half = bool(self._batches_to_retry)
        if self._retrying_half:
            if not self._batch.rows:
                for row in self._batches_to_retry.popleft():
                    self._join(row)
            return
        prefill_tokens, batch = 0, self._batch
        while self._waiting and len(batch.rows) < self._batch_size:
            row = self._waiting[0]
            uncached = batch.uncached_tokens(row)
            if prefill_tokens and prefill_tokens + uncached > MAX_PREFILL_TOKENS:
                return
            if batch.rows and batch.kv_bytes_with(row) > self._batch_bytes:
                return
            self._join(self._waiting.popleft())
            prefill_tokens += uncached

    def _join(self, row: DecodingRow) -> None:
        """Lets a row in; one that cannot be let in, for want of memory say, fails alone."""
        try:
            self._batch.join(row)
        except Exception as error:  # the boundary, as in `_work_once`
            self._finish(row.ticket, _failure_from(error))

    def _halve_failed_batch(self, error: Exception) -> None:
        rows = self._batch.remove_all()
        if len(rows) == 1:
            self._finish(rows[0].ticket, _failure_from(error))
            return
        _log.info(
            "a batch of %d rows failed (%s); each half is tried again",
            len(rows),
            type(error).__name__,
        )
        for row in rows:
            row.restart()
        middle = len(rows) // 2
        self._batches_to_retry.extend((rows[:middle], rows[middle:]))
        self._retrying_half = True

    def _take_scorings_of_thread(self) -> list[_ScoringWork]:
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
        tokenised = [
            (work, *split) for work in works if (split := self._tokenise_scoring(work)) is not None
        ]
        all_continuations = [part for _, continuations, _ in tokenised for part in continuations]
        try:
            logprobs = (
                self._log_probabilities(works[0].request.thread, all_continuations)
                if all_continuations
                else []
            )
        except Exception as error:  # the boundary: a failure of the model is data
            if len(works) > 1:
                for work, _, _ in tokenised:
                    self._score([work])
            else:
                self._finish(works[0].ticket, _failure_from(error))
            return
        offset, now = 0, time.perf_counter()
        for work, continuations, length in tokenised:
            completion = Scored(
                logprobs=tuple(logprobs[offset : offset + len(continuations)]),
                lengths=tuple(len(part.ids) - part.start for part in continuations),
                prompt_tokens=length,
                latency_s=now - work.submitted,
                dtype=self.info.dtype,
            )
            offset += len(continuations)
            self._finish(work.ticket, completion)

    def _tokenise_scoring(self, work: _ScoringWork) -> tuple[list[Continuation], int] | None:
        """A scoring's continuations in tokens and its prompt's length; None where it is answered
        with a failure already.
        """
        local, request, started = self.local, work.request, time.perf_counter()
        failure: Failure | None
        try:
            continuations = local.prompt_tokenizer.tokenise_continuations(
                request.prompt, request.continuations
            )
            length = len(local.prompt_tokenizer.encode(request.prompt))
            failure = context_failure(
                local, max((len(part.ids) for part in continuations), default=length), 0
            )
        except PromptError as error:
            failure = model_failure("prompt", str(error))
        except Exception as error:  # the boundary: text that the tokenizer chokes on fails alone
            failure = _failure_from(error)
        self.meter.add_time("tokenise", started, time.perf_counter())
        if failure is not None:
            self._finish(work.ticket, failure)
            return None
        self.meter.tokenised_tokens += length + sum(
            len(part.ids) - part.start for part in continuations
        )
        return continuations, length

    def _log_probabilities(
        self, thread_name: str, continuations: Sequence[Continuation]
    ) -> list[float]:
        started = time.perf_counter()
        try:
            return score_continuations(
                self.local, self._prefix_cache, self.meter, thread_name, continuations
            )
        except Exception:
            self._prefix_cache.forget(thread_name)  # half written
            raise
        finally:
            self.meter.add_time("score", started, time.perf_counter())


def _failure_from(error: Exception) -> Failure:
    lines = str(error).strip().splitlines()
    message = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    memory = (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "allocate memory" in message
    )
    return model_failure("out-of-memory" if memory else "error", message)
