"""Agents at servers: each way of asking a backend of its own, and every missing key before anything
is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import find_specs
from agents.lm.server.options import ServerFields
from simworld.core.errors import ModelError
from simworld.runner.agent_pool import load_agents, shared_or_new_backend

SERVER = "model: openai:m@http://127.0.0.1:9/v1\n"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONE", "sk-one")
    monkeypatch.delenv("TWO", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    texts = {
        "plain": SERVER,
        "again": SERVER,
        "keyed": SERVER + "api_key_env: ONE\n",
        "effort": SERVER + "extra_body: {reasoning_effort: low}\n",
        "lost": SERVER + "api_key_env: TWO\n",
        "maker": "model: openai:gpt-4o\n",
        "small": "model: hf:nowhere/at-all\n",
    }
    for name, text in texts.items():
        Path(f"{name}.yaml").write_text(f"name: {name}\n{text}")


def test_agents_that_ask_alike_share_a_backend() -> None:
    with load_agents(find_specs(["plain", "again", "keyed", "effort"])) as agent_pool:
        assert len(agent_pool.backends) == 3
        assert agent_pool.agents["plain"].model == agent_pool.agents["again"].model
        assert len({agent_pool.agents[name].id for name in ("plain", "again", "keyed")}) == 1
        assert agent_pool.agents["effort"].id != agent_pool.agents["plain"].id
        model, shared = (
            "openai:m@http://127.0.0.1:9/v1",
            agent_pool.backends[agent_pool.agents["keyed"].model],
        )
        with shared_or_new_backend(
            agent_pool, model, "auto", fields=ServerFields(api_key_env="ONE")
        ) as backend:
            assert backend is shared
        with shared_or_new_backend(
            agent_pool, model, "auto", fields=ServerFields(timeout=300)
        ) as backend:
            assert backend not in agent_pool.backends.values()


def test_every_missing_key_is_told_before_a_model_is_loaded() -> None:
    with pytest.raises(ModelError) as missing, load_agents(find_specs(["small", "lost", "maker"])):
        pass
    assert str(missing.value).splitlines() == [
        "agent 'lost': m at http://127.0.0.1:9/v1 needs a key: set the environment variable TWO",
        (
            "agent 'maker': gpt-4o at https://api.openai.com/v1 needs a key: set the environment"
            " variable OPENAI_API_KEY"
        ),
    ]
    assert missing.value.exit_code == 2
