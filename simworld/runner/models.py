"""The models a cast needs, each loaded once: agents of one model and dtype share a backend, and so a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from agents import (
    HUMAN_MODEL,
    HumanSpec,
    LMAgent,
    LMSpec,
    LoadedSpec,
    TerminalBackend,
    backend_key,
    make_agent,
    model_key,
)
from agents.models import load_backend
from agents.models.load import check_server
from agents.models.server_options import ServerFields
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
    cache_bytes: int | None = None,
    threads: int | None = None,
    server: ServerFields | None = None,
    before_load: Callable[[str], None] = lambda model: None,
    warn: Callable[[str], None] = lambda line: None,
) -> Iterator[Crew]:
    """The agents of some specs with their models loaded; closed at the end of the block.

    `cache_bytes` is for all local models together, in equal shares; by default each takes a quarter of the memory that is free when
    it is loaded. `server` is what the command line says of servers; it goes before what the agents' files say. The other settings
    are those of `agents.models.load_backend`.

    Raises:
        ModelError: a model cannot be loaded, or a person has a seat and there is no terminal.
        InputError: a planner was made for another model.
        MissingExtra: an optional package is missing.
    """
    specs = list(specs)
    keys = {model_key(s.spec) for s in specs if isinstance(s.spec, LMSpec) and not s.spec.model.startswith("openai:")}
    share = None if cache_bytes is None else max(1, cache_bytes // max(1, len(keys)))
    _check_servers(specs, server)
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
                    cache_bytes=share,
                    threads=threads,
                    server=spec.server_options(server),
                    reasoning=spec.reasoning,
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
        for name, agent in agents.items():
            if isinstance(agent, LMAgent) and agent.steering is not None:
                for line in agent.steering.warnings:
                    warn(f"agent {name!r}: {line}")
        yield Crew(agents=agents, backends=backends, infos=infos)


def _check_servers(specs: Iterable[LoadedSpec], server: ServerFields | None) -> None:
    """Raises ModelError with every key that is not there, before any model is loaded."""
    missing: dict[str, None] = {}
    for spec in (loaded.spec for loaded in specs):
        if isinstance(spec, LMSpec):
            try:
                check_server(spec.model, spec.server_options(server))
            except ModelError as error:
                missing[f"agent {spec.name!r}: {error}"] = None
    if missing:
        raise ModelError("\n".join(missing))


@contextmanager
def borrow(
    crew: Crew,
    model: str,
    dtype: str,
    *,
    fields: ServerFields | None = None,
    server: ServerFields | None = None,
    threads: int | None = None,
) -> Iterator[Backend]:
    """A model for other work, a judge's say: the crew's where it has it, else loaded for the block. Raises ModelError.

    `fields` are those of the judge's file, and `server` those of the command line, which go before them.
    """
    fields = fields or ServerFields()
    if (shared := crew.backends.get(backend_key(model, dtype, fields))) is not None:
        yield shared
        return
    backend = load_backend(
        model, dtype=dtype, threads=threads, server=fields.server_options(server), reasoning=fields.reasoning
    )
    try:
        yield backend
    finally:
        backend.close()
