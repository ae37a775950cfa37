"""The models a cast needs, each loaded once: agents of one model and dtype share a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache

from agents import (
    HUMAN_MODEL,
    HumanSpec,
    LMAgent,
    LoadedSpec,
    TerminalBackend,
    agent_id_of,
    asks_model,
    backend_key,
    make_agent,
    model_key,
)
from agents.lm import load_backend
from agents.lm.lazy_backend import LazyBackend
from agents.lm.load import check_server_key, identify_model
from agents.lm.server.address import is_server_model
from agents.lm.server.options import ServerFields
from simworld.core.errors import ModelError
from simworld.core.protocols import Agent, Backend
from simworld.core.requests import ModelInfo


class AgentPool:
    """Agents ready to act, and the backends that answer them."""

    def __init__(
        self,
        *,
        agents: Mapping[str, Agent],
        backends: Mapping[str, Backend],
        infos: Mapping[str, ModelInfo],
    ) -> None:
        """Agents and infos are by agent name, backends by `Agent.model`."""
        self._agents, self._backends, self._infos = agents, backends, infos

    @property
    def agents(self) -> Mapping[str, Agent]:
        """Agent name → agent."""
        return self._agents

    @property
    def backends(self) -> Mapping[str, Backend]:
        """`Agent.model` → backend."""
        return self._backends

    @property
    def ids(self) -> Mapping[str, str]:
        """Agent name → agent id; known before anything is loaded."""
        return {name: agent.id for name, agent in self._agents.items()}

    @property
    def infos(self) -> Mapping[str, ModelInfo]:
        """Agent name → its language model, if it has one; known before anything is loaded."""
        return self._infos

    def find_backend(self, key: str) -> Backend | None:
        """The agents' backend of that key, loaded or loaded by its first request; else None."""
        return self._backends.get(key)

    def load(self) -> None:
        """Loads what is not loaded yet: models, and planners onto them."""


class _LazyAgentPool(AgentPool):
    """Agents whose models are loaded when agents or backends are first asked for."""

    def __init__(self, specs: Sequence[LoadedSpec], load: Callable[[], AgentPool]) -> None:
        self._specs, self._load = specs, load
        model_specs = [loaded.spec for loaded in specs if asks_model(loaded.spec)]
        self._specs_by_key = {model_key(spec): spec for spec in model_specs}
        self._loaded: AgentPool | None = None
        identify = cache(identify_model)
        self._infos = {spec.name: identify(spec.model) for spec in model_specs}

    @property
    def agents(self) -> Mapping[str, Agent]:
        return self._loaded_pool.agents

    @property
    def backends(self) -> Mapping[str, Backend]:
        return self._loaded_pool.backends

    @property
    def ids(self) -> Mapping[str, str]:
        return {s.spec.name: agent_id_of(s, self._infos.get(s.spec.name)) for s in self._specs}

    def find_backend(self, key: str) -> Backend | None:
        if self._loaded is not None:
            return self._loaded.find_backend(key)
        spec = self._specs_by_key.get(key)
        return (
            None
            if spec is None
            else LazyBackend(identify_model(spec.model, spec.dtype), lambda: self.backends[key])
        )

    def load(self) -> None:
        if self._loaded is None:
            self._loaded = self._load()

    @property
    def _loaded_pool(self) -> AgentPool:
        self.load()
        assert self._loaded is not None
        return self._loaded


@contextmanager
def load_agents(
    specs: Iterable[LoadedSpec],
    *,
    terminal: TerminalBackend | None = None,
    batch_size: int = 32,
    cache_bytes: int | None = None,
    cpu_threads: int | None = None,
    server: ServerFields | None = None,
    before_load: Callable[[str], None] = lambda model: None,
    warn: Callable[[str], None] = lambda line: None,
) -> Iterator[AgentPool]:
    """The agents of some specs; models are loaded when first needed, and closed at the end.

    `cache_bytes` is for all local models together, in equal shares; by default each takes a quarter
    of the memory that is free when it is loaded. `server` is what the command line says of servers;
    it goes before what the agents' files say. The other settings are those of
    `agents.lm.load_backend`.

    Raises:
        ModelError: a model or a server's key is not there, or a person has a seat and there is no
            terminal. Once agents are needed, also that a model cannot be loaded.
        InputError: then, a planner was made for another model.
        MissingExtra: then, an optional package is missing.
    """
    specs = list(specs)
    model_specs = [loaded.spec for loaded in specs if asks_model(loaded.spec)]
    local_keys = {model_key(spec) for spec in model_specs if not is_server_model(spec.model)}
    bytes_each = None if cache_bytes is None else max(1, cache_bytes // max(1, len(local_keys)))
    _check_servers(specs, server)
    for spec in (loaded.spec for loaded in specs):
        if isinstance(spec, HumanSpec) and terminal is None:
            raise ModelError(
                f"agent {spec.name!r} is a person, and there is no terminal to ask one"
            )

    def load() -> AgentPool:
        backends: dict[str, Backend] = {}
        for loaded in specs:
            spec = loaded.spec
            if asks_model(spec) and model_key(spec) not in backends:
                before_load(spec.model)
                backend = load_backend(
                    spec.model,
                    dtype=spec.dtype,
                    batch_size=batch_size,
                    cache_bytes=bytes_each,
                    cpu_threads=cpu_threads,
                    server=spec.server_options(server),
                    reasoning=spec.reasoning,
                )
                stack.callback(backend.close)
                backends[model_key(spec)] = backend
            elif isinstance(spec, HumanSpec) and terminal is not None:
                backends[HUMAN_MODEL] = terminal
        infos = {spec.name: backends[model_key(spec)].info for spec in model_specs}
        agents = {
            loaded.spec.name: make_agent(loaded, infos.get(loaded.spec.name)) for loaded in specs
        }
        for name, agent in agents.items():
            if isinstance(agent, LMAgent) and agent.steering is not None:
                for line in agent.steering.warnings:
                    warn(f"agent {name!r}: {line}")
        return AgentPool(agents=agents, backends=backends, infos=infos)

    with ExitStack() as stack:
        yield _LazyAgentPool(specs, load)


def _check_servers(specs: Iterable[LoadedSpec], server: ServerFields | None) -> None:
    """Raises ModelError with every key that is not there, before any model is loaded."""
    missing: dict[str, None] = {}
    for spec in (loaded.spec for loaded in specs):
        if asks_model(spec):
            try:
                check_server_key(spec.model, spec.server_options(server))
            except ModelError as error:
                missing[f"agent {spec.name!r}: {error}"] = None
    if missing:
        raise ModelError("\n".join(missing))


@contextmanager
def shared_or_new_backend(
    agent_pool: AgentPool,
    model: str,
    dtype: str,
    *,
    fields: ServerFields | None = None,
    server: ServerFields | None = None,
    cpu_threads: int | None = None,
) -> Iterator[Backend]:
    """A backend for other work, as a judge's: the agents' own, or one loaded by its first request.

    Raises ModelError. `fields` are those of the judge's file, and `server` those of the command
    line, which go before them.
    """
    fields = fields or ServerFields()
    if (shared := agent_pool.find_backend(backend_key(model, dtype, fields))) is not None:
        yield shared
        return
    with open_lazy_backend(
        model, dtype, fields=fields, server=server, cpu_threads=cpu_threads
    ) as backend:
        yield backend


@contextmanager
def open_lazy_backend(
    model: str,
    dtype: str,
    *,
    fields: ServerFields,
    server: ServerFields | None = None,
    cpu_threads: int | None = None,
) -> Iterator[LazyBackend]:
    """A backend that its first request loads, closed at the end. Raises ModelError."""
    options = fields.server_options(server)
    check_server_key(model, options)

    def load() -> Backend:
        return load_backend(
            model, dtype=dtype, cpu_threads=cpu_threads, server=options, reasoning=fields.reasoning
        )

    with closing(LazyBackend(identify_model(model, dtype), load)) as backend:
        yield backend
