"""`simworld episode search` from the outside; the encoder is the built-in one, so most of it is
marked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simworld.cli import cli
from simworld.core.errors import InputError
from store import open_store
from tests.factories.stored import add, begin, played

APOLOGY = (
    "I broke your vase. I feel terrible about it.",
    "It is all right, really. Let us forget it.",
)
HAGGLING = ("Sixty euros for the ticket.", "I can pay fifty at most.")


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = str(tmp_path / "x.db")
    with open_store(url, create=True) as store:
        for work, said in zip(begin(store, repeats=2), (HAGGLING, APOLOGY), strict=True):
            add(store, work, played(work, *said))
    return url


def search(db: str, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["episode", "search", *args, "--db", db])
    assert result.exit_code == code, result.output
    return result


def test_one_clear_line_before_the_encoder_is_loaded(db: str, tmp_path: Path) -> None:
    for args, message in (
        ((" ",), "nothing to look for; write what happens in the episode"),
        (("x", "--run", "frist"), "no run 'frist' in this database; did you mean 'first'?"),
    ):
        result = search(db, *args, code=1)
        assert isinstance(result.exception, InputError)
        assert str(result.exception) == message
    assert "no database" in str(search(str(tmp_path / "no.db"), "x", code=1).exception)
    assert not (tmp_path / "no.db").exists()


@pytest.mark.model
def test_the_nearest_episode_comes_first(db: str) -> None:
    *lines, last = search(db, "someone apologises and is forgiven").stdout.splitlines()
    assert last.startswith("next: simworld episode show ")
    assert [line.split()[0] for line in lines] == [
        "cosine",
        *sorted((line.split()[0] for line in lines[1:]), reverse=True),
    ]
    (hit,) = json.loads(
        search(db, "someone apologises and is forgiven", "--limit", "1", "--json").stdout
    )
    with open_store(db) as store:
        assert store.episode(hit["id"]).episode.acts[0].action.text == APOLOGY[0]
    assert hit["cosine"] > 0.2
