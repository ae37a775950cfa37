"""Model backends of other packages: named before the colon of `model`, with settings of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import load_spec
from agents.lm import load_backend
from agents.lm.load import identify_model
from agents.lm.server.options import ServerOptions
from simworld.core.episode import WorkItem
from simworld.core.errors import InputError, ModelError
from simworld.core.requests import Generate, Sampling, TextPrompt
from simworld.runner import Job, play_jobs
from simworld.runner.agent_pool import load_agents
from simworld.testing import check_backend, example_scenario
from tests.factories.extensions import (
    AGENTS,
    ASKING_AGENT,
    BACKENDS,
    PARROT_BACKEND,
    Installation,
)

ENTRY = {BACKENDS: {"parrot": "barter:parrot"}}
AGENT = "name: a\nmodel: parrot:grey\nbackend: {say: Hello there.}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_backend_keeps_the_promises_and_has_the_id_that_it_had_before_it_was_loaded(
    installation: Installation,
) -> None:
    installation.add(ENTRY, code=PARROT_BACKEND)
    options = ServerOptions(backend={"say": "Good day to you"})
    check_backend(lambda: load_backend("parrot:grey", server=options), scores=False)
    backend = load_backend("parrot:grey")
    assert backend.info == identify_model("parrot:grey", "auto")
    assert backend.info.id.startswith("parrot barter 0.1.0 ")
    assert backend.info.id.endswith(":grey")


def test_agents_by_one_have_ids_of_its_code_its_model_and_its_settings(
    installation: Installation, tmp_path: Path
) -> None:
    def id_of(text: str = AGENT, code: str = PARROT_BACKEND) -> str:
        installation.forget_code()
        installation.add(ENTRY, code=code)
        with load_agents([load_spec(write(tmp_path, text))]) as pool:
            before = pool.ids["a"]
            pool.load()
            assert pool.agents["a"].id == before
        return before

    ids = {
        id_of(),
        id_of(AGENT.replace("grey", "green")),
        id_of(AGENT.replace("Hello", "Hey")),
        id_of(code=PARROT_BACKEND + "\n    # changed\n"),
    }
    assert len(ids) == 4
    assert id_of() in ids


def test_an_agent_of_another_package_asks_the_model_that_its_file_names(
    installation: Installation, tmp_path: Path
) -> None:
    points = ENTRY | {AGENTS: {"asking": "barter:asking"}}
    installation.add(points, code=PARROT_BACKEND + ASKING_AGENT)
    path = write(tmp_path, "name: a\nkind: asking\nmodel: parrot:grey\nbackend: {say: Ahoy.}\n")
    scenario = example_scenario(turns=2)
    with load_agents([load_spec(path)]) as pool:
        before = pool.ids["a"]
        agent = pool.agents["a"]
        assert agent.id == before
        cast = {seat.name: agent for seat in scenario.seats}
        item = WorkItem(run="r", scenario_id=scenario.id, cast=dict.fromkeys(cast, "a"), repeat=0)
        job = Job(item=item, attempt=1, scenario=scenario, agents=cast, seed=0)
        (played,) = play_jobs([job], pool.backends)
    assert [act.action.text for act in played.episode.acts] == ["Ahoy.", "Ahoy."]


def test_problems_have_their_places(installation: Installation, tmp_path: Path) -> None:
    installation.add(ENTRY, code=PARROT_BACKEND)

    def problems(text: str) -> list[str]:
        path = write(tmp_path, text)
        with pytest.raises(InputError) as raised:
            load_spec(path)
        return [str(p).removeprefix(f"{path}:") for p in raised.value.problems]

    assert problems(AGENT.replace("say", "sey")) == [
        "3:11: backend.sey: unknown field; did you mean 'say'?"
    ]
    assert problems("name: a\nmodel: builtin:smollm2-135m-instruct\nbackend: {}\n") == [
        "3:10: backend: builtin: is no extension, so it has no settings; remove this"
    ]
    assert "expected builtin:NAME" in problems("name: a\nmodel: parot:grey\n")[0]
    with pytest.raises(ModelError, match="openai:MODEL@URL, parrot:NAME"):
        load_backend("parot:grey")


def read_and_ask(path: Path) -> None:
    load_spec(path)
    backend = load_backend("parrot:grey")
    backend.submit(Generate(prompt=TextPrompt(text="a"), sampling=Sampling(), seed=0))
    backend.poll()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("self._tickets += 1", "1 / 0", "failed in `submit`: ZeroDivisionError: division by zero"),
        (
            "identify=lambda name: name",
            "identify=len, check=int",
            "knows no model 'grey': ValueErr",
        ),
        ("def poll(self, wait_s=None):", "def poll(self):", "failed in `poll`: TypeError: "),
        ("self._say, self._open", "self.x.y, self._open", "could not be made: AttributeError: "),
    ],
)
def test_what_breaks_is_one_line(
    old: str, new: str, message: str, installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY, code=PARROT_BACKEND.replace(old, new))
    path = write(tmp_path, AGENT)
    with pytest.raises(
        (ModelError, InputError), match=f"backend 'parrot' of barter 0.1.0 {message}"
    ):
        read_and_ask(path)
    load_spec(write(tmp_path, "name: b\nkind: human\n"))  # nothing else is hurt
