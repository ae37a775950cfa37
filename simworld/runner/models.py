"""The models a cast needs, each loaded once: agents of one model and dtype share a backend, and so a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from agents import HUMAN_MODEL, HumanSpec, LMSpec, LoadedSpec, TerminalBackend, make_agent, model_key
from agents.models import load_backend
from simworld.core.errors import ModelError
from simworld.core.protocols import Agent, Backend
from simworld.core.requests import ModelInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Agents ready to act, and the backends that answer them."""

    agents: Mapping[str, Agent]  # by name
    backends: Mapping[str, Backend]  # by `Agent.model`
    infos: Mapping[str, ModelInfo]  # by agent name, for agents with a language model


@contextmanager
def open_crew(
    specs: Iterable[LoadedSpec],
    *,
    terminal: TerminalBackend | None = None,
    batch_size: int = 32,
    threads: int | None = None,
    concurrency: int = 8,
    timeout_s: float = 120.0,
    retries: int = 5,
    before_load: Callable[[str], None] = lambda model: None,
) -> Iterator[Crew]:
    """The agents of some specs with their models loaded; closed at the end of the block.

    Raises:
        ModelError: a model cannot be loaded, or a person has a seat and there is no terminal.
        MissingExtra: an optional package is missing.
    """
    specs = list(specs)
    with ExitStack() as stack:
        backends: dict[str, Backend] = {}
        for loaded in specs:
            spec = loaded.spec
            if isinstance(spec, LMSpec) and model_key(spec) not in backends:
                before_load(spec.model)
                backend = load_backend(
                    spec.model,
                    dtype=spec.dtype,
                    batch_size=batch_size,
                    threads=threads,
                    concurrency=concurrency,
                    timeout_s=timeout_s,
                    retries=retries,
                )
                stack.callback(backend.close)
                backends[model_key(spec)] = backend
            elif isinstance(spec, HumanSpec):
                if terminal is None:
                    raise ModelError(f"agent {spec.name!r} is a person, and there is no terminal to ask one")
                backends[HUMAN_MODEL] = terminal
        infos = {
            loaded.spec.name: backends[model_key(loaded.spec)].info
            for loaded in specs
            if isinstance(loaded.spec, LMSpec)
        }
        agents = {loaded.spec.name: make_agent(loaded, infos.get(loaded.spec.name)) for loaded in specs}
        yield Crew(agents=agents, backends=backends, infos=infos)
