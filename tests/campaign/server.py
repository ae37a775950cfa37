"""An OpenAI-compatible server on loopback that answers as it is told, and at times as no server
should.

Whether a request meets a fault, and which, depends on its content and on how often it was sent: not
on when it arrives.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_S = 1.5  # longer than the time-outs that the campaign sets
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
# Faults that go away when the same request is sent again.
PASSING = ("429", "500", "503", "half", "drop", "junk", "empty body", "no choices")
FAULTS = (
    *PASSING, "hang", "empty", "null", "parts", "tool calls", "length", "huge", "not utf8", "drip",
    "big integer", "nan logprob", "odd logprobs", "surrogate", "controls", "choices no list",
    "429 by date", "redirect", "junk gzip", "gzip bomb", "usage bool", "usage huge",
    "usage negative", "usage float", "usage text", "usage infinite", "usage null", "deep",
    "error in 200", "filtered", "events", "message no object", "text no text", "finish unknown",
    "duplicate keys", "choice null",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a model says: its text, further fields of the message, and why it ended."""

    text: Any
    more: Mapping[str, Any] = field(default_factory=dict)
    finish: str = "stop"


def completion(said: Said, **changes: Any) -> dict[str, Any]:
    """The body of a good answer."""
    message = {"role": "assistant", "content": said.text, **said.more}
    choice = {"index": 0, "message": message, "finish_reason": said.finish, "logprobs": None}
    return {
        "id": "x",
        "object": "chat.completion",
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
    } | changes


class Server:
    """`say` answers the JSON of a request; `share` of the requests meet one of `faults` instead.
    `seen` keeps every request."""

    def __init__(
        self,
        say: Callable[[Mapping[str, Any]], Said],
        *,
        seed: int = 0,
        share: float = 0.0,
        faults: Sequence[str] = FAULTS,
        once: bool = False,
    ) -> None:
        self.seen: list[Mapping[str, Any]] = []
        self._say, self._seed, self._share, self._faults, self._once = (
            say,
            seed,
            share,
            faults,
            once,
        )
        self._times: Counter[str] = Counter()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._answer(self)

            def do_GET(self) -> None:
                _reply(self, 200, b'{"object": "list", "data": []}')

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: Any) -> None:
                pass  # clients that went away are part of it

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body: dict[str, Any] = json.loads(
            handler.rfile.read(int(handler.headers["content-length"]))
        )
        fault = self.fault(body)
        said = self._say(body)
        if fault is None:
            _reply(handler, 200, _json(completion(said)))
        else:
            _fail(handler, fault, said)

    def fault(self, body: Mapping[str, Any]) -> str | None:
        """The fault that a request meets, which is kept as seen; None for a good answer."""
        content = hashlib.sha256(
            json.dumps([body.get("messages"), body.get("seed")], sort_keys=True).encode()
        ).hexdigest()
        with self._lock:
            self.seen.append(body)
            self._times[content] += 1
            times = self._times[content]
        draw = random.Random(f"{self._seed} {content} {times}")
        if draw.random() >= self._share or (self._once and times > 1):
            return None
        return draw.choice(self._faults)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server at work."""
    thread = threading.Thread(
        target=server.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def _fail(handler: BaseHTTPRequestHandler, fault: str, said: Said) -> None:
    good = _json(completion(said))

    def usage(value: Any) -> bytes:
        return _json(completion(said, usage={"prompt_tokens": value, "completion_tokens": value}))

    def changed(**changes: Any) -> bytes:
        body = completion(said)
        body["choices"][0] |= changes
        return _json(body)

    def tokens(*values: Any) -> bytes:
        return changed(logprobs={"content": [{"token": "a", "logprob": value} for value in values]})

    match fault:
        case "429":
            _reply(handler, 429, b'{"error": {"message": "slow down"}}', {"Retry-After": "0.3"})
        case "429 by date":
            _reply(
                handler,
                429,
                b'{"error": {"message": "slow down"}}',
                {"Retry-After": "Mon, 01 Jan 0001 00:00:00 GMT"},
            )
        case "500":
            _reply(handler, 500, b"oops")
        case "503":
            _reply(handler, 503, b"")
        case "redirect":
            _reply(handler, 302, b"", {"Location": "/elsewhere"})
        case "half":
            _head(handler, 200, len(good) + 50, {})
            handler.wfile.write(good[:20])
            _hang_up(handler)
        case "drop":
            _hang_up(handler)
        case "hang":
            time.sleep(HANG_S)
            _reply(handler, 200, good)
        case "drip":
            _head(handler, 200, len(good), {})
            step = len(good) // 6 + 1
            for at in range(0, len(good), step):
                handler.wfile.write(good[at : at + step])
                handler.wfile.flush()
                time.sleep(HANG_S / 6)
        case "junk gzip":
            _reply(handler, 200, b"\x1f\x8bjunk", {"Content-Encoding": "gzip"})
        case "gzip bomb":
            _reply(handler, 200, _BOMB, {"Content-Encoding": "gzip"})
        case "events":
            _reply(
                handler,
                200,
                b'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: [DONE]\n\n',
                {"Content-Type": "text/event-stream"},
            )
        case _:
            bodies: dict[str, Callable[[], bytes]] = {
                "junk": lambda: b"<html>not json",
                "empty body": lambda: b"",
                "no choices": lambda: b'{"choices": []}',
                "choices no list": lambda: b'{"choices": {"0": 1}}',
                "choice null": lambda: b'{"choices": [null]}',
                "message no object": lambda: b'{"choices": [{"message": "x"}]}',
                "error in 200": lambda: (
                    b'{"error": {"message": "Upstream idle timeout", "code": 524}, "choices": null}'
                ),
                "not utf8": lambda: b'{"choices": [{"message": {"content": "\xff\xfe bad"}}]}',
                "deep": lambda: b"[" * 200_000,
                "duplicate keys": lambda: good[:-1] + b', "choices": 3}',
                "empty": lambda: changed(message={"role": "assistant", "content": ""}),
                "null": lambda: changed(message={"role": "assistant", "content": None}),
                "text no text": lambda: changed(
                    message={"role": "assistant", "content": {"a": [1]}}
                ),
                "parts": lambda: changed(
                    message={"role": "assistant", "content": [{"type": "text", "text": said.text}]}
                ),
                "tool calls": lambda: changed(message=_CALL, finish_reason="tool_calls"),
                "length": lambda: changed(finish_reason="length"),
                "filtered": lambda: changed(
                    message={"role": "assistant", "content": ""}, finish_reason="content_filter"
                ),
                "finish unknown": lambda: changed(finish_reason={"why": 1}),
                "huge": lambda: _json(completion(Said(text="word soup and more. " * 100_000))),
                "surrogate": lambda: good.replace(b'"content": "', b'"content": "\\ud800 '),
                "controls": lambda: good.replace(
                    b'"content": "', b'"content": "\\u0000 \\u001b[31m \\u202e '
                ),
                "big integer": lambda: usage(0).replace(
                    b'"prompt_tokens": 0', b'"prompt_tokens": ' + b"9" * 5000
                ),
                "nan logprob": lambda: tokens(float("nan")),
                "odd logprobs": lambda: tokens(float("-inf"), 10**400, "x", None, True),
                "usage bool": lambda: usage(True),
                "usage huge": lambda: usage(10**30),
                "usage negative": lambda: usage(-(10**19)),
                "usage float": lambda: usage(1.5),
                "usage text": lambda: usage("7"),
                "usage infinite": lambda: usage(float("inf")),
                "usage null": lambda: _json(completion(said, usage=None)),
            }
            _reply(handler, 200, bodies[fault]())


_BOMB = gzip.compress(b" " * 200_000_000, 1)
_CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "say", "arguments": "{}"}}],
}


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def _head(
    handler: BaseHTTPRequestHandler, status: int, length: int, headers: Mapping[str, str]
) -> None:
    handler.send_response(status)
    for name, value in (
        {"Content-Type": "application/json", "Content-Length": str(length)} | dict(headers)
    ).items():
        handler.send_header(name, value)
    handler.end_headers()


def _reply(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    _head(handler, status, len(body), headers or {})
    handler.wfile.write(body)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True
