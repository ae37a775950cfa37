"""Any OpenAI-compatible server as a backend: bounded concurrency, retries, and failures as data.

The client's event loop runs in a thread of its own, so `submit` returns at once and `poll` only waits on a queue.
"""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import os
import queue
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agents.models.openai_payload import Payload, completion, is_too_long, newly_refused, payload
from simworld.core.errors import Failure, MissingExtra, ModelError
from simworld.core.requests import Completion, Finished, Generate, ModelInfo, Request

_RETRIED_STATUS = frozenset({408, 409, 425, 429})  # and all from 500
_RETRIED_KINDS = frozenset({"timeout", "refused", "invalid", "empty"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a server, and how often to ask again."""

    timeout_s: float = 120.0  # of one attempt, from sending to the last byte
    retries: int = 5  # after the first attempt
    first_wait_s: float = 0.5  # doubled each time, and drawn between half of it and the whole
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0  # a server that asks for more is given up


def open_server(spec: str, name: str, *, concurrency: int = 8, patience: Patience | None = None) -> OpenAIBackend:
    """A backend for `<model>@<base url>`. Nothing is sent yet. Raises ModelError and MissingExtra.

    The key comes from SIMWORLD_API_KEY, else from OPENAI_API_KEY; a local server needs none.
    """
    model, at, url = name.rpartition("@http")
    url = f"http{url}".rstrip("/") if at else ""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not model or not host or not url.startswith(("http://", "https://")):
        raise ModelError(
            f"model {spec!r}: write openai:MODEL@URL, for example openai:qwen2.5-7b@http://127.0.0.1:8000/v1"
        )
    key = os.environ.get("SIMWORLD_API_KEY") or os.environ.get("OPENAI_API_KEY") or "none"
    return OpenAIBackend(
        spec=spec, model=model, url=url, key=key, concurrency=concurrency, patience=patience or Patience()
    )


class OpenAIBackend:
    """A Backend that asks a server. `submit` and `poll` may be called from one thread at a time."""

    def __init__(self, *, spec: str, model: str, url: str, key: str, concurrency: int, patience: Patience) -> None:
        try:
            import openai
        except ImportError:
            raise MissingExtra("openai: models", "openai") from None
        self._openai = openai
        self._model, self._url, self._key, self._patience = model, url, key, patience
        identity = hashlib.sha256(f"openai\n{model}\n{url}".encode()).hexdigest()
        self._info = ModelInfo(spec=spec, id=identity, dtype="", context=None, meta={"model": model, "url": url})
        self._done: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self._tickets = 0
        self._open = 0
        self._refused: frozenset[str] = frozenset()
        self._random = random.Random()  # spreads retries only, and so needs no seed
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(concurrency)
        self._client: Any = None
        self._thread = threading.Thread(target=self._run, name="simworld-openai", daemon=True)
        self._thread.start()

    @property
    def info(self) -> ModelInfo:
        """What is asked here; the id hashes the model's name and the address."""
        return self._info

    def submit(self, request: Request) -> int:
        """A ticket for the request, which is on its way as soon as a slot is free."""
        if self._loop.is_closed():
            raise RuntimeError("the backend is closed")
        ticket = self._tickets
        self._tickets += 1
        self._open += 1
        if isinstance(request, Generate) and request.prefix is not None:
            message = "a server takes no prefix embeddings; use a local model (builtin: or hf:) for steered agents"
            self._done.put(Finished(ticket=ticket, completion=_failure("unsupported", message)))
        elif isinstance(request, Generate):
            asyncio.run_coroutine_threadsafe(self._serve(ticket, request, time.perf_counter()), self._loop)
        else:
            what = type(request).__name__
            message = f"a server cannot answer {what} requests; use a local model (builtin: or hf:) for likelihoods and states"
            self._done.put(Finished(ticket=ticket, completion=_failure("unsupported", message)))
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Waits until a ticket is done or `wait_s` seconds are over; empty at once if none is open."""
        if not self._open:
            return []
        found = []
        try:
            found.append(self._done.get(timeout=wait_s))
            while True:
                found.append(self._done.get_nowait())
        except queue.Empty:
            pass
        self._open -= len(found)
        return found

    def close(self) -> None:
        """Cancels what is under way, closes the connections and joins the thread; closing twice does nothing."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._open = 0

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        if self._client is not None:
            self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())

    async def _serve(self, ticket: int, request: Generate, submitted: float) -> None:
        async with self._slots:
            try:
                done = await self._ask(request, submitted)
            except Exception as error:  # the boundary: whatever goes wrong in the client fails this request alone
                done = _failure("error", _one_line(error))
        self._done.put(Finished(ticket=ticket, completion=done))

    async def _ask(self, request: Generate, submitted: float) -> Completion:
        """The completion, after as many attempts as patience allows. Leaving out a refused parameter costs no retry."""
        attempt = 0
        refused = self._refused
        while True:
            call = payload(request, self._model, refused)
            done, wanted_s = await self._attempt(call, request, submitted)
            if not isinstance(done, Failure):
                self._refused |= refused  # remembered only now that leaving it out has helped
                return done
            if done.kind in ("http-400", "http-422"):
                if is_too_long(done.message):
                    return _failure("too-long", done.message)
                if more := newly_refused(done.message, call):
                    refused |= more
                    continue
                return done
            retried = done.kind in _RETRIED_KINDS or _is_retried_status(done.kind)
            if not retried or attempt >= self._patience.retries:
                return done
            wait_s = self._wait_s(attempt) if wanted_s is None else wanted_s
            if wait_s > self._patience.longest_retry_after_s:
                return done
            await asyncio.sleep(wait_s)
            attempt += 1

    async def _attempt(self, call: Payload, request: Generate, submitted: float) -> tuple[Completion, float | None]:
        """One call: its completion, and for how many seconds the server asked to be left alone."""
        openai = self._openai
        client = self._client_here()
        endpoint = client.chat.completions if call.endpoint == "chat" else client.completions
        try:
            async with asyncio.timeout(self._patience.timeout_s):
                answer = await endpoint.with_raw_response.create(**call.arguments)
                body = answer.http_response.content
        except (TimeoutError, openai.APITimeoutError):
            return _failure("timeout", f"{self._url}: no answer within {self._patience.timeout_s:g} s"), None
        except openai.APIStatusError as error:
            return _failure(f"http-{error.status_code}", self._status_text(error)), _retry_after_s(
                error.response.headers
            )
        except openai.APIConnectionError as error:
            return self._broken(error), None
        return completion(body, request, time.perf_counter() - submitted), None

    def _client_here(self) -> Any:
        """The client, made on first use inside the loop that it lives in."""
        if self._client is None:
            # A proxy from the environment never leads to this machine.
            local = urlsplit(self._url).hostname in _LOOPBACK
            http = self._openai.DefaultAsyncHttpxClient(trust_env=not local, timeout=self._patience.timeout_s)
            self._client = self._openai.AsyncOpenAI(
                base_url=self._url, api_key=self._key, max_retries=0, timeout=self._patience.timeout_s, http_client=http
            )
        return self._client

    def _status_text(self, error: Any) -> str:
        hint = "; set SIMWORLD_API_KEY or OPENAI_API_KEY" if error.status_code == 401 else ""
        return f"{self._url}: HTTP {error.status_code}: {_one_line(error)}{hint}"

    def _broken(self, error: Exception) -> Failure:
        cause = error.__cause__ or error
        if "Connect" in type(cause).__name__:
            return _failure("refused", f"{self._url}: cannot be reached: {_one_line(cause)}")
        return _failure("invalid", f"{self._url}: the answer broke off: {_one_line(cause)}")

    def _wait_s(self, attempt: int) -> float:
        wait: float = min(self._patience.first_wait_s * 2**attempt, self._patience.longest_wait_s)
        return wait * (0.5 + 0.5 * self._random.random())


def _is_retried_status(kind: str) -> bool:
    status = int(kind.removeprefix("http-")) if kind.startswith("http-") else 0
    return status in _RETRIED_STATUS or status >= 500


def _retry_after_s(headers: Any) -> float | None:
    """Seconds from a Retry-After header, given as seconds or as a date; None where there is none."""
    value = str(headers.get("retry-after") or "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        asked: float = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        return max(0.0, asked)
    except ValueError:
        return None


def _one_line(error: object) -> str:
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:300]


def _failure(kind: str, message: str) -> Failure:
    return Failure(boundary="model", kind=kind, message=message)
