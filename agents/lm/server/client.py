"""One server over HTTP: a call and its answer of any status, bounded in time and size, and a key
that stays at its address.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
import zlib
from dataclasses import dataclass, replace
from typing import Any

from agents.lm.server.address import ServerAddress, ServerKey
from agents.lm.server.options import ServerOptions
from agents.lm.server.payload import Payload
from simworld.core.errors import Failure, MissingExtra, model_failure
from simworld.core.requests import Completion, Generated
from simworld.core.text import harmless

_MIN_KEY_CHARS = 6  # characters
MAX_RESPONSE_BYTES = 8_000_000  # of an answer, unpacked
_MAX_MESSAGE_CHARS = 600  # of a failure's message
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A server's answer as it came, without the key should it have said it again."""

    status: int
    body: bytes
    retry_after_s: float | None = None  # for how long it asks to be left alone
    location: str = ""  # where it sends us on to


class ServerClient:
    """The connections to one server, made on first use inside the event loop that they live in."""

    def __init__(self, address: ServerAddress, key: ServerKey, options: ServerOptions) -> None:
        """Nothing is sent yet. Raises MissingExtra."""
        try:
            import httpx2
        except ImportError:
            raise MissingExtra("openai: models", "openai") from None
        self._httpx = httpx2
        self._address, self._key = address, key
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",  # what is packed small may be large
            "user-agent": "simworld",
            **key.headers,
            **options.headers,
        }
        self._timeout_s, self._concurrency = options.timeout_s, options.concurrency
        self._http_client: Any = None

    async def post(self, payload: Payload) -> Response | Failure:
        """The answer to a call."""
        return await self._send("POST", payload.endpoint, payload.body)

    async def get(self, path: str) -> Response | Failure:
        """What stands under a path of the server's, "models" for example."""
        return await self._send("GET", path, None)

    async def close(self) -> None:
        """Closes the connections."""
        if self._http_client is not None:
            await self._http_client.aclose()

    def without_key(self, done: Completion) -> Completion:
        """The same without the key in any spelling of JSON, and a failure in one harmless line."""
        key = self._key_to_hide
        if isinstance(done, Failure):
            text = done.message.replace(key, "***") if key else done.message
            return replace(done, message=harmless(" ".join(text.split()))[:_MAX_MESSAGE_CHARS])
        if isinstance(done, Generated) and key:
            return replace(
                done,
                text=done.text.replace(key, "***"),
                reasoning=done.reasoning.replace(key, "***"),
            )
        return done

    @property
    def _key_to_hide(self) -> str:
        """The key, where it is long enough to be one: a short word would be blanked out of ordinary
        text.
        """
        return self._key.value if len(self._key.value) >= _MIN_KEY_CHARS else ""

    async def _send(self, method: str, path: str, content: bytes | None) -> Response | Failure:
        httpx, url = self._httpx, self._address.url
        # reading the machine's certificates takes a while, and none of the server's time
        self._get_http_client()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(method, self._address.endpoint(path), content)
        except (TimeoutError, httpx.TimeoutException):
            return model_failure("timeout", f"{url}: no answer within {self._timeout_s:g} s")
        except httpx.ConnectError as error:
            return model_failure("refused", f"{url}: cannot be reached: {error}")
        except (httpx.HTTPError, httpx.InvalidURL, zlib.error) as error:
            return model_failure(
                "invalid", f"{url}: the answer broke off: {str(error) or type(error).__name__}"
            )

    async def _exchange(self, method: str, url: str, content: bytes | None) -> Response | Failure:
        async with self._get_http_client().stream(
            method, url, content=content, headers=self._headers
        ) as response:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    return model_failure(
                        "invalid",
                        f"{self._address.url}: the answer has more than"
                        f" {MAX_RESPONSE_BYTES:,} bytes",
                    )
            unpacked = self._decompress(
                bytes(body), response.headers.get("content-encoding", "").lower()
            )
            if isinstance(unpacked, Failure):
                return unpacked
            key = self._key_to_hide.encode()
            return Response(
                status=response.status_code,
                body=unpacked.replace(key, b"***") if key else unpacked,
                retry_after_s=_retry_after_s(response.headers.get("retry-after", "")),
                location=response.headers.get("location", ""),
            )

    def _decompress(self, body: bytes, packing: str) -> bytes | Failure:
        if packing in ("", "identity"):
            return body
        if packing not in ("gzip", "x-gzip", "deflate"):
            message = f"the answer is packed with {packing!r} although this was not asked for"
            return model_failure("invalid", f"{self._address.url}: {message}")
        # 47: gzip or zlib, whichever it is
        return zlib.decompressobj(47).decompress(body, MAX_RESPONSE_BYTES)

    def _get_http_client(self) -> Any:
        if self._http_client is None:
            limits = self._httpx.Limits(
                max_connections=None, max_keepalive_connections=self._concurrency
            )
            # A proxy from the environment never leads to this machine. A redirect is not followed:
            # a key stays at its address.
            trusted = self._address.host not in _LOOPBACK
            self._http_client = self._httpx.AsyncClient(
                trust_env=trusted, timeout=None, limits=limits, follow_redirects=False
            )
        return self._http_client


def _retry_after_s(value: str) -> float | None:
    """Seconds from a Retry-After header, given as seconds or as a date; None where there is
    none.
    """
    if not value.strip():
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
