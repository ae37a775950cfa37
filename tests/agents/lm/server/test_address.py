"""Where requests go and which key goes with them."""

from __future__ import annotations

import pytest

from agents.lm.server.address import parse_address, read_key
from simworld.core.errors import ModelError


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/chat/completions", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/chat/completions/", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/completions", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/models", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/chat/completions"),
        ("HTTPS://Example.org/V2", "https://example.org/V2/chat/completions"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
        (
            "https://x.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-06-01",
            "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01",
        ),
        (
            "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01",
            "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01",
        ),
    ],
)
def test_forms_that_are_understood(written: str, endpoint: str) -> None:
    address = parse_address(f"openai:m@{written}")
    assert address.endpoint("chat/completions") == endpoint
    assert address.model == "m"


def test_a_name_alone_is_the_makers_own() -> None:
    assert (
        parse_address("openai:gpt-4o").endpoint("chat/completions")
        == "https://api.openai.com/v1/chat/completions"
    )
    assert parse_address("openai:@cf/meta/llama@http://h/v1").model == "@cf/meta/llama"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("openai:", "write openai:MODEL@URL"),
        ("openai:m@", "write openai:MODEL@URL"),
        ("openai:m@h/v1", "write openai:MODEL@URL"),
        ("openai:m@http://h:99999/v1", "write openai:MODEL@URL"),
        ("openai:m@http://h/v1#x", "write openai:MODEL@URL"),
        ("openai:m@http://h /v1", "write openai:MODEL@URL"),
        ("openai:http://h/v1", "write openai:MODEL@URL"),
        ("openai:m@http://h/v1/responses", "write openai:m@http://h/v1"),
        ("openai:m@http://h/api/chat", "write openai:m@http://h/v1"),
        ("openai:m@http://h/v1?key=sk-hidden", "found ?key=…"),
        ("openai:m@http://ann:sk-hidden@h/v1", "name it in api_key_env"),
    ],
)
def test_forms_that_are_refused_with_the_right_one(spec: str, says: str) -> None:
    with pytest.raises(ModelError) as refused:
        parse_address(spec)
    assert says in str(refused.value)
    assert "sk-hidden" not in str(refused.value)


def test_a_key_belongs_to_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-maker\n")
    monkeypatch.setenv("SIMWORLD_API_KEY", "sk-old")
    monkeypatch.setenv("MINE", "sk-mine")
    maker = read_key(parse_address("openai:gpt-4o"), None)
    assert maker.headers == {"authorization": "Bearer sk-maker"}
    for other in (
        "http://api.openai.com/v1",
        "https://api.openai.com.evil.org/v1",
        "https://api.openai.com:8443/v1",
        "https://evil.org/api.openai.com",
        "http://127.0.0.1:8000/v1",
    ):
        address = parse_address(f"openai:gpt-4o@{other}")
        assert read_key(address, None).headers == {}
        assert read_key(address, "MINE").headers == {"authorization": "Bearer sk-mine"}
    azure = parse_address("openai:m@https://x.openai.azure.com/openai/deployments/m?api-version=1")
    assert read_key(azure, "MINE").headers == {"api-key": "sk-mine"}
    assert "sk-" not in repr(maker)


def test_a_key_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("BLANK", "  ")
    monkeypatch.setenv("ODD", "schlüssel mit ü")
    with pytest.raises(ModelError, match="set the environment variable OPENAI_API_KEY"):
        read_key(parse_address("openai:gpt-4o"), None)
    with pytest.raises(ModelError, match="set the environment variable BLANK"):
        read_key(parse_address("openai:m@http://h/v1"), "BLANK")
    with pytest.raises(ModelError, match="the text in ODD is no key") as refused:
        read_key(parse_address("openai:m@http://h/v1"), "ODD")
    assert "schlüssel" not in str(refused.value)
