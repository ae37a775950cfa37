"""`openai:MODEL@URL` → where requests go, and which key goes with them. A key belongs to an address
and is sent nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from simworld.core.errors import ModelError

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY_VARIABLE = "OPENAI_API_KEY"  # sent to OPENAI alone, unless a file names it
_FORM = "write openai:MODEL@URL, for example openai:qwen2.5-7b@http://127.0.0.1:8000/v1"
_ENDPOINT_SUFFIX = re.compile(r"/+(?:chat/completions|completions|models)$")
_UNSUPPORTED_ENDPOINT = re.compile(
    r"/(?:responses|messages|embeddings|api/chat|api/generate|generateContent)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """A model at a server."""

    model: str
    url: str  # the base: `/chat/completions` comes after its path
    query: str  # "" or "api-version=…"
    url_as_written: str  # as the file has it; what ids hash

    def endpoint(self, path: str) -> str:
        """The whole URL of one endpoint, "chat/completions" for example."""
        return f"{self.url}/{path}" + (f"?{self.query}" if self.query else "")

    @property
    def id(self) -> str:
        """Hash of model and address, 64 hex digits: what is known of the model."""
        return hashlib.sha256(f"openai\n{self.model}\n{self.url_as_written}".encode()).hexdigest()

    @property
    def host(self) -> str:
        """The server's name in lower case."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKey:
    """A server's key, where there is one, and the header that carries it."""

    value: str = ""
    variable: str = ""  # where it came from
    header: str = "authorization"

    @property
    def headers(self) -> dict[str, str]:
        """The header of each request; none without a key."""
        if not self.value:
            return {}
        return {
            self.header: f"Bearer {self.value}" if self.header == "authorization" else self.value
        }

    def __repr__(self) -> str:
        return f"Key(variable={self.variable!r})"  # a key must not get into a traceback


def is_server_model(spec: str) -> bool:
    """Whether a model's spec names a server, `openai:…`, and no local model."""
    return spec.strip().startswith("openai:")


def parse_address(spec: str) -> ServerAddress:
    """The address of `openai:MODEL` (the maker's own) or `openai:MODEL@URL`. Raises ModelError with
    the right form.

    Understood too: an address with `/chat/completions` at its end, one without any path (`/v1` is
    added), and `?api-version=…`.
    """
    name = spec.strip().partition(":")[2].strip()
    match = re.fullmatch(r"(?i)(.+)@(https?://.*)", name, re.DOTALL)
    if match is None:
        if not name or "@" in name or "://" in name or any(map(str.isspace, name)):
            raise _address_error(spec, _FORM)
        return ServerAddress(model=name, url=OPENAI_URL, query="", url_as_written=OPENAI_URL)
    model, given_url = match.group(1).strip(), match.group(2).rstrip("/")
    try:
        parts = urlsplit(given_url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise _address_error(spec, _FORM) from None
    if "@" in parts.netloc:
        message = (
            "an address holds no user and no password; put the key into an environment variable and"
            " name it in api_key_env"
        )
        raise ModelError(f"model {model!r} at {parts.hostname or 'a server'}: {message}")
    if not model or not host or not re.fullmatch(r"[\x21-\x7e]+", given_url) or parts.fragment:
        raise _address_error(spec, _FORM)
    if extra := [
        key for key, _ in parse_qsl(parts.query, keep_blank_values=True) if key != "api-version"
    ]:
        message = (
            f"found ?{extra[0]}=… in the address; only api-version may stand there, and a key"
            " belongs into api_key_env"
        )
        raise ModelError(f"model {model!r} at {host}: {message}")
    path = _ENDPOINT_SUFFIX.sub("", parts.path.rstrip("/"))
    if _UNSUPPORTED_ENDPOINT.search(path):
        right = _build_url(parts, host, port, _UNSUPPORTED_ENDPOINT.sub("", path) or "/v1")
        raise _address_error(spec, f"only /chat/completions is asked; write openai:{model}@{right}")
    url = _build_url(parts, host, port, path or "/v1")
    return ServerAddress(
        model=model,
        url=url,
        query=parts.query,
        url_as_written=given_url if path == parts.path.rstrip("/") else url,
    )


def read_key(address: ServerAddress, api_key_env: str | None) -> ServerKey:
    """The key for an address: of the variable that the file names, else OPENAI_API_KEY for OpenAI's
    own host, else none.

    Raises ModelError where the variable is not set, or its text cannot be a key.
    """
    variable = api_key_env or (
        OPENAI_KEY_VARIABLE if urlsplit(address.url)[:2] == urlsplit(OPENAI_URL)[:2] else ""
    )
    if not variable:
        return ServerKey()
    value = os.environ.get(variable, "").strip()
    server = f"{address.model} at {address.url}"
    if not value:
        raise ModelError(f"{server} needs a key: set the environment variable {variable}")
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ModelError(
            f"{server}: the text in {variable} is no key; expected one word of printable ASCII"
        )
    azure = address.query or address.host.endswith(".azure.com")
    return ServerKey(value=value, variable=variable, header="api-key" if azure else "authorization")


def _build_url(parts: SplitResult, host: str, port: int | None, path: str) -> str:
    netloc = f"[{host}]" if ":" in host else host
    return f"{parts.scheme.lower()}://{netloc}{f':{port}' if port is not None else ''}{path}"


def _address_error(spec: str, what: str) -> ModelError:
    return ModelError(f"model {spec.strip()[:200]!r}: {what}")
