"""What a file may say about the server that answers: keys, patience, extra parameters, and how its
model marks thoughts.

Agent and judge files share these fields, and the command line overrules them by the same class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from agents.lm.reasoning_marks import Reasoning
from simworld.core.errors import Problem
from simworld.yamlfile import Document

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# of a request: what simworld itself must say
_RESERVED_PARAMETERS = ("messages", "model", "n", "prompt", "stream")
_SERVER_ONLY_FIELDS = ("api_key_env", "timeout", "retries", "concurrency", "headers", "extra_body")
# change what a model says, and so belong to ids
_REPLY_SHAPING_FIELDS = ("extra_body", "reasoning", "backend")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server is asked."""

    # the environment variable of its key; None: only the maker's own host gets one
    api_key_env: str | None = None
    timeout_s: float = 120.0  # of one attempt, from sending to the last byte
    retries: int = 5  # after the first attempt
    concurrency: int = 8  # requests open at once, at most
    # added to each request
    extra_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    # added to each request
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    backend: Mapping[str, Any] | None = None  # settings of another package's backend


class ServerFields(BaseModel):
    """Fields of agent and judge files: how a server is asked. Unset ones have the defaults of
    `ServerOptions`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_key_env: str | None = Field(
        default=None,
        description="The environment variable that holds the server's key; servers only.",
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds for one attempt, 120 by default; servers only.",
    )
    retries: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="After the first attempt, 5 by default; servers only.",
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Requests open at once, 8 by default; servers only.",
    )
    extra_body: dict[str, JsonValue] | None = Field(
        default=None,
        description="Further parameters of each request: thinking switches, effort; servers only.",
    )
    headers: dict[str, str] | None = Field(
        default=None, description="Further headers of each request; servers only."
    )
    backend: dict[str, JsonValue] | None = Field(
        default=None, description="Settings of the backend; of an installed one only."
    )
    reasoning: Reasoning | None = Field(
        default=None,
        description=(
            "{open, close}: the model's marks around thoughts; on: it always thinks; off: never."
        ),
    )

    @field_validator("api_key_env")
    @classmethod
    def _api_key_env(cls, name: str | None) -> str | None:
        if name is not None and not _VARIABLE_NAME.fullmatch(name):
            # The text is not shown: it may be the key itself.
            raise ValueError(
                "expected the name of an environment variable, like MY_SERVER_KEY, and never the"
                " key itself"
            )
        return name

    @field_validator("extra_body")
    @classmethod
    def _extra_body(cls, body: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        if taken := [name for name in _RESERVED_PARAMETERS if name in (body or {})]:
            raise ValueError(
                f"{', '.join(taken)} cannot be set here: simworld itself writes it into each"
                " request"
            )
        try:
            json.dumps(body, allow_nan=False)
        except (ValueError, RecursionError):
            raise ValueError("expected plain JSON, without .inf and .nan") from None
        return body

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str] | None) -> dict[str, str] | None:
        for name, value in (headers or {}).items():
            if not _HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
                raise ValueError(
                    "expected a header's name and a value in printable ASCII, found the name"
                    f" {name!r}"
                )
            if name.lower() == "authorization":
                raise ValueError(
                    "a key does not belong into a file: put it into an environment variable, and"
                    " its name into api_key_env"
                )
        return headers

    def server_options(self, overrides: ServerFields | None = None) -> ServerOptions:
        """How the server is asked; what `overrides` (the command line) sets goes before what the
        file sets.
        """
        values = self._set_values() | (overrides._set_values() if overrides else {})
        values.pop("reasoning", None)
        if "timeout" in values:
            values["timeout_s"] = values.pop("timeout")
        return ServerOptions(**values)

    def backend_key(self) -> str:
        """Text that tells backends of one model apart by how they are asked; empty where the file
        says nothing of it.
        """
        said = self.model_dump(
            mode="json", include=set(ServerFields.model_fields), exclude_none=True
        )
        return json.dumps(said, sort_keys=True) if said else ""

    def server_only_problems(self, document: Document) -> list[Problem]:
        """What a file says about a server although its model is local, each with its place."""
        message = "only a server (openai:MODEL@URL) has this; remove it, or name a server's model"
        return [
            document.problem((name,), message)
            for name in _SERVER_ONLY_FIELDS
            if getattr(self, name) is not None
        ]

    def _set_values(self) -> dict[str, Any]:
        return {
            name: value
            for name in ServerFields.model_fields
            if (value := getattr(self, name)) is not None
        }


def drop_unhashed_fields(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a spec for its id: of the server's fields those that shape what a model says,
    where they are set.
    """
    unset = {name for name in _REPLY_SHAPING_FIELDS if content.get(name) in (None, {})}
    dropped = unset | (set(_SERVER_ONLY_FIELDS) - set(_REPLY_SHAPING_FIELDS))
    return {name: value for name, value in content.items() if name not in dropped}
