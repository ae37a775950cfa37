"""A backend that takes requests and never answers them."""

from __future__ import annotations

from collections.abc import Sequence

from simworld.core.requests import Finished, ModelInfo, Request


class LosingBackend:
    """Says that it has nothing to do, whatever it was given."""

    def __init__(self, spec: str = "fake:lost", model_id: str = "lost") -> None:
        self.info = ModelInfo(spec=spec, id=model_id, dtype="float32", context=None)
        self.requests: list[Request] = []

    def submit(self, request: Request) -> int:
        self.requests.append(request)
        return len(self.requests)

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        return ()

    def close(self) -> None: ...
