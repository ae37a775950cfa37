"""Any OpenAI-compatible server as a backend: bounded concurrency, retries, and failures as data.

The client's event loop runs in a thread of its own, so `submit` returns at once and `poll` only
waits on a queue.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.lm.reasoning import is_known_thinker, thinking_limit_failure
from agents.lm.reasoning_marks import Reasoning
from agents.lm.server.address import parse_address, read_key
from agents.lm.server.client import Response, ServerClient
from agents.lm.server.context_length import ContextLength, read_context_length
from agents.lm.server.options import ServerOptions
from agents.lm.server.payload import Payload, build_payload
from agents.lm.server.refusals import parameters_to_omit, read_refusal, refusal_failure
from agents.lm.server.server_answer import ServerAnswer, read_answer
from simworld.core.errors import Failure, model_failure
from simworld.core.requests import Completion, Finished, Generate, ModelInfo, Request

_log = logging.getLogger(f"simworld.{__name__}")
_RETRIED_STATUS = frozenset({408, 409, 425, 429})  # and all from 500
_RETRIED_KINDS = frozenset({"timeout", "refused", "invalid", "empty"})
# of the loop before it is closed: a connection that was begun a moment ago cannot be cancelled
# unheard
_CLOSING_STEPS = 10
# replies that were cut and have no mark, after which a model is taken for one that does not think
_PLAIN_REPLIES_TO_DECIDE = 4
# rounds of one request with less; each takes something out, so this is never reached
_MAX_OMISSIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDelays:
    """How long to wait between attempts."""

    first_wait_s: float = 0.5  # doubled each time, and drawn between half of it and the whole
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0  # a server that asks for more is given up


class OpenAIBackend:
    """A Backend that asks a server. `submit` and `poll` may be called from one thread at a time."""

    def __init__(
        self,
        spec: str,
        options: ServerOptions | None = None,
        *,
        reasoning: Reasoning | None = None,
        delays: RetryDelays | None = None,
    ) -> None:
        """A backend for `openai:<model>@<base url>`. Nothing is sent yet.

        Raises ModelError for an address that is not understood and for a key that is not there, and
        MissingExtra.
        """
        self._options, self._delays = options or ServerOptions(), delays or RetryDelays()
        self._address = address = parse_address(spec)
        self._key = read_key(address, self._options.api_key_env)
        self._client = ServerClient(address, self._key, self._options)
        meta = {"model": address.model, "url": address.url}
        self.info = ModelInfo(spec=spec, id=address.id, dtype="", context=None, meta=meta)
        _log.info(
            "model %s of %s: up to %d requests at once, %g s each, %d retries",
            address.model,
            address.url,
            self._options.concurrency,
            self._options.timeout_s,
            self._options.retries,
        )
        self._reasoning = reasoning
        # Whether its template opens a thought, so that a reply cut short is one, and whether a stop
        # string might end a thought.
        self._template_opens_thought = reasoning == "on" or (
            reasoning is None and is_known_thinker(address.model)
        )
        self._may_think = self._template_opens_thought or (
            reasoning is not None and reasoning != "off"
        )
        # Replies that ended a thought which they had not begun; those without any, whole and cut.
        self._unopened_thoughts = self._plain_replies = self._cut_replies = 0
        self._finished: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self._next_ticket = 0
        self._open_tickets = 0
        self._closing = False
        self._refused: frozenset[str] = frozenset()
        self._random = random.Random()  # spreads retries only, and so needs no seed
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(self._options.concurrency)
        self._context_length = ContextLength()
        self._thread = threading.Thread(target=self._run_loop, name="simworld-openai", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> int:
        """A ticket for the request, which is on its way as soon as a slot is free."""
        if self._loop.is_closed():
            raise RuntimeError("the backend is closed")
        ticket = self._next_ticket
        self._next_ticket += 1
        self._open_tickets += 1
        if isinstance(request, Generate) and request.prefix is None:
            asyncio.run_coroutine_threadsafe(
                self._serve(ticket, request, time.perf_counter()), self._loop
            )
            return ticket
        message = (
            "a server takes no prefix embeddings; use a local model (builtin: or hf:) for steered"
            " agents"
            if isinstance(request, Generate)
            else f"a server cannot answer {type(request).__name__} requests; use a local model"
            " (builtin: or hf:) for likelihoods and states"
        )
        self._finished.put(
            Finished(ticket=ticket, completion=model_failure("unsupported", message))
        )
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Waits until a ticket is done or `wait_s` seconds are over; empty at once if none is
        open.
        """
        if not self._open_tickets:
            return []
        finished = []
        try:
            finished.append(self._finished.get(timeout=wait_s))
            while True:
                finished.append(self._finished.get_nowait())
        except queue.Empty:
            pass
        self._open_tickets -= len(finished)
        return finished

    def close(self) -> None:
        """Cancels what is under way, closes the connections and joins the thread; closing twice
        does nothing.
        """
        if self._loop.is_closed():
            return
        self._closing = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._open_tickets = 0

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for _ in range(_CLOSING_STEPS):
            self._loop.run_until_complete(asyncio.sleep(0))
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())

    async def _serve(self, ticket: int, request: Generate, submitted: float) -> None:
        async with self._slots:
            if self._closing:
                return
            try:
                done = await self._ask(request, submitted)
            # the boundary: whatever goes wrong in the client fails this request alone
            except Exception as error:
                done = model_failure("error", str(error) or type(error).__name__)
        self._finished.put(Finished(ticket=ticket, completion=self._client.without_key(done)))

    async def _ask(self, request: Generate, submitted: float) -> Completion:
        """The completion, after as many attempts as are allowed. Leaving out a refused parameter
        costs no retry.
        """
        attempt = omissions = 0
        refused = self._refused
        while True:
            omitted = refused | self._stop_to_omit()
            extra_body = self._options.extra_body
            payload = build_payload(request, self._address.model, omitted, extra_body)
            response = await self._client.post(payload)
            retry_after_s = None
            if isinstance(response, Failure):
                failure: Failure = response
            elif response.status == 200:
                answer = self._read(response.body, request, submitted)
                if isinstance(answer, ServerAnswer):
                    self._refused |= refused  # remembered only now that leaving it out has helped
                    generated = answer.generated
                    self._context_length.calibrate(len(payload.body), generated.prompt_tokens)
                    if answer.only_thought and generated.finish == "length":
                        limit = request.sampling.max_new_tokens
                        return thinking_limit_failure(limit, generated.reasoning_tokens)
                    if answer.only_thought and "stop" in payload.sent_names:
                        # a stop string may have ended it inside its thought: now none is sent
                        continue
                    return generated
                failure = answer
            else:
                refusal = read_refusal(response.status, response.body)
                failure = self._add_hint(response, refusal_failure(refusal, self._address.url))
                retry_after_s = response.retry_after_s
                if (
                    failure.kind == f"http-{response.status}"
                    and omissions < _MAX_OMISSIONS
                    and (newly_refused := parameters_to_omit(refusal, payload))
                ):
                    refused |= newly_refused
                    omissions += 1
                    _log.info("the server refuses %s: left out", ", ".join(sorted(newly_refused)))
                    continue
                if failure.kind in ("http-400", "http-422") and await self._may_be_too_long(
                    payload, request
                ):
                    return replace(failure, kind="too-long")
            retried = failure.kind in _RETRIED_KINDS or _is_retried_status(failure.kind)
            if not retried or attempt >= self._options.retries:
                return failure
            wait_s = self._wait_s(attempt) if retry_after_s is None else retry_after_s
            if wait_s > self._delays.longest_retry_after_s:
                return failure
            # the kind alone: a server's own words may repeat what it was sent
            _log.info(
                "request failed (%s): attempt %d of %d in %.1f s",
                failure.kind,
                attempt + 2,
                self._options.retries + 1,
                wait_s,
            )
            await asyncio.sleep(wait_s)
            attempt += 1

    def _stop_to_omit(self) -> frozenset[str]:
        """A stop string would end a thought as well as an answer, and a thought that the template
        began has no mark then.

        So none is sent to a model that thinks, or that may, as far as its replies have shown; its
        answer is cut here.
        """
        decided = (
            self._reasoning == "off"
            or self._plain_replies > 0
            or self._cut_replies >= _PLAIN_REPLIES_TO_DECIDE
        )
        return frozenset({"stop"}) if self._may_think or not decided else frozenset()

    def _read(self, body: bytes, request: Generate, submitted: float) -> ServerAnswer | Failure:
        answer = read_answer(
            body,
            request,
            server_url=self._address.url,
            latency_s=time.perf_counter() - submitted,
            reasoning=self._reasoning,
            in_thought=self._reasoning != "off"
            and (self._template_opens_thought or self._unopened_thoughts > self._plain_replies),
        )
        if isinstance(answer, ServerAnswer):
            self._may_think |= answer.thought_aloud
            self._unopened_thoughts += answer.unopened_thought
            self._plain_replies += not answer.thought_aloud and not answer.truncated
            self._cut_replies += not answer.thought_aloud and answer.truncated
        return answer

    async def _may_be_too_long(self, payload: Payload, request: Generate) -> bool:
        """Whether a refusal that nobody understands may be one of the prompt's length, by what the
        list of models says.
        """
        if not self._context_length.was_requested:
            self._context_length.was_requested = True
            response = await self._client.get("models")
            if isinstance(response, Response) and response.status == 200:
                tokens = read_context_length(response.body, self._address.model)
                self._context_length.tokens = tokens
        return self._context_length.may_exceed(len(payload.body), request.sampling.max_new_tokens)

    def _add_hint(self, response: Response, failure: Failure) -> Failure:
        hint = ""
        if 300 <= response.status < 400:
            hint = (
                f"; it sends us on to {response.location[:200]!r}: write the address that answers"
                " into the file"
            )
        elif response.status in (401, 403) and self._key.value:
            hint = f"; the key was that of {self._key.variable}"
        elif response.status in (401, 403):
            hint = "; no key was sent: name its environment variable in the file, api_key_env: NAME"
        elif response.status in (404, 405) and not self._address.url.endswith("/v1"):
            hint = "; the address of most servers ends in /v1"
        return replace(failure, message=failure.message + hint)

    def _wait_s(self, attempt: int) -> float:
        wait: float = min(self._delays.first_wait_s * 2**attempt, self._delays.longest_wait_s)
        return wait * (0.5 + 0.5 * self._random.random())


def _is_retried_status(kind: str) -> bool:
    status = int(kind.removeprefix("http-")) if kind.startswith("http-") else 0
    return status in _RETRIED_STATUS or status >= 500
