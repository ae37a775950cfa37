"""Judge files: the shipped ones, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.lm.server.options import ServerFields
from scenarios.rubrics import load_rubric
from simworld.core.errors import InputError
from simworld.core.requests import ModelInfo
from simworld.judging.judge import make_judge
from simworld.judging.judge_spec import DEFAULT_JUDGE, JudgeSpec, builtin_judges, load_judge


def test_every_shipped_judge_loads_under_its_file_name() -> None:
    assert DEFAULT_JUDGE in builtin_judges()
    for name in builtin_judges():
        spec, origin = load_judge(name)
        assert spec.name == name
        assert origin == "built in"
    assert {load_judge(name)[0].method for name in builtin_judges()} == {
        "statements",
        "answers",
        "server",
    }


def test_the_default_is_calibrated_for_every_dimension_of_its_rubric() -> None:
    spec, _ = load_judge(DEFAULT_JUDGE)
    assert set(spec.calibration) == {d.name for d in load_rubric("sotopia").dimensions} | {"every"}


def test_a_judge_file_and_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text(
        "name: j\nmodel: builtin:smollm2-135m-instruct\nmethod: answers\nsamples: 3\nchat: true\n"
    )
    spec, origin = load_judge(str(path))
    assert (spec.chat, spec.samples, origin) == (True, 3, str(path))
    path.write_text(
        "name: j\nmodel: builtin:smollm2-135m-instruct\nmethod: statement\ncalibration: {goal: {a:"
        " -1}}\nsmaples: 2\n"
    )
    with pytest.raises(InputError) as error:
        load_judge(str(path))
    text = str(error.value)
    assert "j.yaml:3:9" in text
    assert "smaples: unknown field; did you mean 'samples'?" in text
    assert "calibration.goal.a" in text


def test_a_server_must_be_asked_for_text(tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text("name: j\nmodel: openai:m@http://localhost/v1\nmethod: statements\n")
    with pytest.raises(InputError, match=r"j\.yaml:3:9: method: found 'statements'"):
        load_judge(str(path))


def test_a_prior_needs_something_to_read(tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text("name: j\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\nhead: []\n")
    with pytest.raises(InputError, match=r"prior: without head and ask there is nothing to read"):
        load_judge(str(path))
    path.write_text(
        "name: j\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\nhead: []\nprior:"
        " false\n"
    )
    assert load_judge(str(path))[0].head == ()


# Stored judgements carry these ids; how a server is reached and waited for is no part of them.
GOLDEN = {
    "server": "server@be773c4b9c46fd20",
    "smol-digits": "smol-digits@7a1bf15b61a2c6fa",
    "smol-statements": "smol-statements@757e9fcb6ed7da43",
}
INFO = ModelInfo(spec="x", id="m1", dtype="float32", context=None)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_ids_of_shipped_judges_stay(name: str) -> None:
    spec, _ = load_judge(name)
    assert make_judge(spec, INFO, "sotopia").id == GOLDEN[name]
    assert not {"timeout", "headers", "extra_body", "reasoning"} & set(spec.content())


def server_judge(
    tmp_path: Path, more: str, model: str = "openai:m@http://127.0.0.1:1/v1"
) -> JudgeSpec:
    path = tmp_path / "j.yaml"
    path.write_text(f"name: j\nmodel: {model}\nmethod: server\n{more}")
    return load_judge(str(path))[0]


def test_how_a_server_is_asked_stands_in_the_judges_file(tmp_path: Path) -> None:
    plain = server_judge(tmp_path, "")
    asked = server_judge(
        tmp_path,
        "api_key_env: MY_KEY\ntimeout: 300\nretries: 1\nconcurrency: 2\nheaders: {X-Team:"
        " social}\n",
    )
    options = asked.server_options(ServerFields(retries=7))
    assert (options.api_key_env, options.timeout_s, options.retries, options.concurrency) == (
        "MY_KEY",
        300,
        7,
        2,
    )
    assert dict(options.headers) == {"X-Team": "social"}
    assert make_judge(asked, INFO, "sotopia").id == make_judge(plain, INFO, "sotopia").id
    assert asked.content() == plain.content()


def test_what_shapes_a_verdict_makes_another_judge(tmp_path: Path) -> None:
    plain = server_judge(tmp_path, "")
    thinking = server_judge(tmp_path, "extra_body: {reasoning_effort: high}\n")
    assert make_judge(thinking, INFO, "sotopia").id != make_judge(plain, INFO, "sotopia").id
    assert thinking.content()["extra_body"] == {"reasoning_effort": "high"}


def test_a_local_judge_has_no_server(tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text(
        "name: j\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\nhead: []\ntimeout: 3\n"
    )
    with pytest.raises(InputError) as error:
        load_judge(str(path))
    assert str(error.value.problems[0]).startswith(f"{path}:5:")
    assert len(error.value.problems) == 2  # the timeout, and the prior without a head


@pytest.mark.parametrize(
    "name", ["x" * 300 + ".yaml", "x" * 5000 + ".yaml", "a/" * 3000 + "r.yaml", ".yaml"]
)
def test_a_rubric_that_cannot_be_there_is_one_line(name: str, tmp_path: Path) -> None:
    spec = server_judge(tmp_path, f"rubric: {name}\n")
    with pytest.raises(InputError) as error:
        load_rubric(spec.rubric)
    assert str(error.value).startswith("no rubric file")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x01\x00",
        b"\xff\xfe\x00",
        b"PK\x03\x04",
        b"name: j\n\tmodel: x",
        b"{" * 5000,
        b"",
        b"[1, 2]",
        b"- *a",
    ],
)
def test_a_damaged_file_is_refused_with_its_place(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_bytes(content)
    for load in (load_judge, load_rubric):
        with pytest.raises(InputError, match=r"j\.yaml"):
            load(str(path))


@pytest.mark.parametrize("name", ["smol-statment", "nothing-like-it", "gone.yaml"])
def test_an_unknown_judge(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no judge"):
        load_judge(name)


def test_a_rubric_beside_the_judges_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "r.yaml").write_text(
        "name: r\ndimensions:\n  - {name: d, range: [0, 1], question: q}\n"
    )
    (folder / "j.yaml").write_text(
        "name: j\nmodel: builtin:smollm2-135m-instruct\nmethod: answers\nrubric: r.yaml\n"
    )
    monkeypatch.chdir(tmp_path)
    spec, _ = load_judge("mine/j.yaml")
    assert load_rubric(spec.rubric).name == "r"


def test_a_judge_in_a_folder_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / "strict.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("strict.yaml", "strcit.yaml", "strict"):
        with pytest.raises(InputError, match=r"did you mean 'judges/strict.yaml'\?"):
            load_judge(name)
    with pytest.raises(
        InputError, match=r"no judge file gone.yaml; `simworld judge new NAME` writes one$"
    ):
        load_judge("gone.yaml")
