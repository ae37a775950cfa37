"""A server on loopback that fails on command: each request takes the next fault of a list, and
after them all is well."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER: dict[str, Any] = {
    "choices": [
        {
            "message": {"role": "assistant", "content": "Sixty euros.\nBen: No."},
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {"token": "Sixty", "logprob": -0.5},
                    {"token": " euros", "logprob": -0.25},
                ]
            },
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 7},
}


class FaultyServer:
    """`faults` are taken from the left; `seen` holds the JSON of every request, `most` the most
    requests open at once.

    `models` is the list of models, and `asked` the paths of requests for it.

    `rule` decides an answer from the request's JSON: a status and JSON, or None where the faults
    decide. `headers` and `paths` are those of every request.
    """

    def __init__(self, upstream: str | None = None) -> None:
        self.faults: list[str] = []
        self.rule: Callable[[dict[str, Any]], tuple[int, Any] | None] = lambda _: None
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.models: Any = None
        self.asked: list[str] = []
        self.delay_s = 0.0
        self.most = self._open = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._upstream = upstream
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._serve(self)

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                reply(self, 404 if outer.models is None else 200, json.dumps(outer.models).encode())

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                pass  # clients that went away are part of the tests

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self._lock:
            self.seen.append(json.loads(body))
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self.paths.append(handler.path)
            ruled = self.rule(self.seen[-1])
            fault = self.faults.pop(0) if self.faults else "ok"
            self._open += 1
            self.most = max(self.most, self._open)
        try:
            self.released.wait(self.delay_s)
            if ruled is None:
                self._answer(handler, fault, body)
            else:
                reply(handler, ruled[0], json.dumps(ruled[1]).encode())
        finally:
            with self._lock:
                self._open -= 1

    def _answer(self, handler: BaseHTTPRequestHandler, fault: str, body: bytes) -> None:
        good = json.dumps(ANSWER).encode()
        kind, _, detail = fault.partition(" ")
        match kind:
            case "ok":
                if self._upstream is None:
                    reply(handler, 200, good)
                else:
                    reply(handler, *self._forward(handler, body))
            case "hang":
                self.released.wait(30)
            case "drop":
                handler.connection.close()
            case "cut":
                handler.send_response(200)
                handler.send_header("content-type", "application/json")
                handler.send_header("content-length", str(len(good)))
                handler.end_headers()
                handler.wfile.write(good[: len(good) // 2])
                handler.connection.close()
            case "body":
                reply(handler, 200, detail.encode())
            case "packed":  # gzip or another, and zeros as many as `detail` says
                way, _, count = detail.partition(" ")
                reply(handler, 200, gzip.compress(bytes(int(count))), {"content-encoding": way})
            case "redirect":
                reply(handler, 307, b"", {"location": detail})
            case "retry-after":
                reply(handler, 429, b'{"error": {"message": "slow down"}}', {"retry-after": detail})
            case _:
                reply(
                    handler,
                    int(kind),
                    json.dumps({"error": {"message": detail or "sorry"}}).encode(),
                )

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        headers = {
            "content-type": "application/json",
            "authorization": handler.headers["authorization"],
        }
        request = urllib.request.Request(
            f"{self._upstream}{handler.path}", data=body, headers=headers
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


def reply(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
) -> None:
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(upstream: str | None = None) -> Iterator[FaultyServer]:
    server = FaultyServer(upstream)
    thread = threading.Thread(target=server._server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server._server.shutdown()
        server._server.server_close()
        thread.join()
