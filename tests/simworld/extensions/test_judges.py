"""Judges of other packages: named by `method`, asked like the built-in ones, failing as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from scenarios.rubrics import load_rubric
from simworld.cli.commands import cli
from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.errors import Failure, InputError
from simworld.core.judgement import Rubric, Verdict
from simworld.core.requests import Generate, ModelInfo, Sampling, TextPrompt
from simworld.extensions import NoSettings
from simworld.judging.judge import make_judge
from simworld.judging.judge_methods import JudgeMethod, JudgeTask, _judge_by_extension
from simworld.judging.judge_spec import load_judge
from simworld.testing import FakeBackend, example_scenario
from tests.factories.extensions import AGENTS, COUNTING_JUDGE, ECHO, JUDGES, Installation

ENTRY = {JUDGES: {"counting": "barter:counting"}}
RUBRIC = load_rubric("sotopia")
SCENARIO = example_scenario()
SEATS = tuple(seat.name for seat in SCENARIO.seats)


def episode(*lines: str) -> Episode:
    turns = tuple(
        Turn(
            index=i,
            acts=(Act(seat=SEATS[i], action=Action(kind=ActionKind.speak, text=text)),),
        )
        for i, text in enumerate(lines)
    )
    return Episode(
        scenario_id=SCENARIO.id,
        cast=dict.fromkeys(SEATS, "a"),
        seed=0,
        turns=turns,
        ending=Ending.turn_limit,
        reason="turn_limit",
    )


def simworld(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def write(folder: Path, text: str, name: str = "j.yaml") -> str:
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


def test_a_method_without_a_model_scores_by_its_settings(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY, code=COUNTING_JUDGE)
    spec, _ = load_judge(write(tmp_path, "name: j\nmethod: counting\nsettings: {points: 2}\n"))
    judge = make_judge(spec, ModelInfo(spec="none", id="none", dtype="", context=None), "sotopia")
    generator = judge.judge_episode(SCENARIO, episode("Thank you, thanks!", "Hm.", "Thanks."))
    with pytest.raises(StopIteration) as over:
        next(generator)
    verdicts = over.value.value
    goals = {v.seat: v.score for v in verdicts if v.dimension == "goal"}  # 0 to 10
    assert goals == {"host": 4.0, "guest": 0.0, "neighbour": 2.0}
    assert len(verdicts) == 3 * 7


def test_its_id_hashes_settings_and_code_and_built_in_ids_stay(
    installation: Installation, tmp_path: Path
) -> None:
    info = ModelInfo(spec="none", id="none", dtype="", context=None)

    def id_of(text: str, code: str = COUNTING_JUDGE) -> str:
        installation.forget_code()
        installation.add(ENTRY, code=code)
        return load_judge(write(tmp_path, text))[0].id(info, RUBRIC)

    plain = "name: j\nmethod: counting\n"
    ids = [
        id_of(plain),
        id_of(plain + "settings: {points: 2}\n"),
        id_of(plain, COUNTING_JUDGE + "\n    # changed\n"),
    ]
    assert len(set(ids)) == 3
    assert id_of(plain) == ids[0]
    built_in, _ = load_judge("smol-statements")
    assert not {"settings", "extension"} & built_in.content().keys()


def test_problems_have_their_places(installation: Installation, tmp_path: Path) -> None:
    installation.add(ENTRY, code=COUNTING_JUDGE)

    def problems(text: str) -> list[str]:
        with pytest.raises(InputError) as raised:
            load_judge(write(tmp_path, text))
        return [str(p).removeprefix(f"{tmp_path}/") for p in raised.value.problems]

    assert problems("name: j\nmethod: counting\nsettings: {pionts: 2, word: 3}\n") == [
        "j.yaml:3:12: settings.pionts: unknown field; did you mean 'points'?",
        "j.yaml:3:29: settings.word: expected text, found the number 3; put it in quotes",
    ]
    assert problems("name: j\nmethod: countin\nmodel: none\n") == [
        "j.yaml:2:9: method: expected statements, answers, server or counting (of barter 0.1.0),"
        " found the text 'countin'; did you mean 'counting'?"
    ]
    assert problems("name: j\nmethod: statements\n") == [
        "j.yaml:1:1: model: required field is missing"
    ]
    assert problems(
        "name: j\nmethod: statements\nmodel: builtin:smollm2-135m-instruct\nsettings: {a: 1}\n"
    ) == ["j.yaml:4:11: settings: 'statements' is no extension; its settings are keys of their own"]


def test_judge_run_stores_its_scores(installation: Installation, tmp_path: Path) -> None:
    installation.add(ENTRY | {AGENTS: {"echo": "barter:echo"}}, code=COUNTING_JUDGE + ECHO)
    agent = write(tmp_path, "name: a\nkind: echo\nsettings: {line: Thanks.}\n", "a.yaml")
    judge = write(tmp_path, "name: j\nmethod: counting\n")
    db = f"sqlite:///{tmp_path}/x.db"
    played = simworld("run", "last-concert-ticket", "--agents", f"{agent},{agent}", "--db", db)
    assert played.exit_code == 0
    judged = simworld("judge", "run", "--judge", judge, "--db", db)
    assert judged.output.startswith("1 scored, 0 failed, 0 already there")


def test_what_an_extension_does_wrong_is_a_failed_judgement() -> None:
    small = Rubric(name="small", dimensions=RUBRIC.dimensions[:1])
    dimension = small.dimensions[0].name
    info = ModelInfo(spec="none", id="none", dtype="", context=None)
    task = JudgeTask(
        scenario=SCENARIO, episode=episode("Hi"), rubric=small, seats=("host",), info=info
    )

    def outcome(judge: Any) -> Any:
        method = JudgeMethod(settings=NoSettings, judge=judge)
        backend = FakeBackend()
        generator = _judge_by_extension(method, NoSettings(), task)
        try:
            request = next(generator)
            while True:
                backend.submit(request)
                request = generator.send(backend.poll()[0].completion)
        except StopIteration as stop:
            return stop.value

    def verdict(**changes: Any) -> Verdict:
        values: dict[str, Any] = {"seat": "host", "dimension": dimension, "score": 5.0}
        return Verdict(**values | changes)

    def raises_later(settings: Any, task: Any) -> Any:
        yield Generate(prompt=TextPrompt(text="Hi"), sampling=Sampling(), seed=0)
        raise KeyError("score")

    def asks_nonsense(settings: Any, task: Any) -> Any:
        yield "Hi"

    def fails(message: str, kind: str = "unusable") -> Failure:
        return Failure(boundary="judge", kind=kind, message=message)

    assert outcome(lambda s, t: (verdict(),)) == (verdict(),)
    assert outcome(raises_later) == fails("KeyError: 'score'", "error")
    assert outcome(lambda s, t: 1 / 0) == fails("ZeroDivisionError: division by zero", "error")
    assert outcome(asks_nonsense) == fails("expected a request, found str", "error")
    assert outcome(lambda s, t: 5.0) == fails(
        "expected a tuple of verdicts or a Failure, found float"
    )
    one_each = "expected one verdict for each seat and dimension; look at "
    assert outcome(lambda s, t: ()) == fails(f"{one_each}host/{dimension}")
    assert outcome(lambda s, t: (verdict(), verdict())) == fails(f"{one_each}host/{dimension}")
    assert outcome(lambda s, t: (verdict(), verdict(seat="guest"))) == fails(
        f"{one_each}guest/{dimension}"
    )
    for score in (10.5, float("nan"), "5"):
        failure = outcome(lambda s, t, score=score: (verdict(score=score),))
        assert failure == fails(f"host/{dimension}: expected a score from 0 to 10, found {score!r}")
    assert outcome(lambda s, t: (verdict(raw={"p": float("inf")}),)) == fails(
        f"host/{dimension}: expected reasoning in words, and raw numbers by name"
    )


def test_a_judge_that_asks_no_model_gets_a_failure_where_it_asks(
    installation: Installation, tmp_path: Path
) -> None:
    asking = COUNTING_JUDGE.replace(
        "    verdicts = []\n",
        "    from simworld.core.requests import Score, TextPrompt\n"
        "        verdicts = [(yield Score(prompt=TextPrompt(text='a'), continuations=('b',)))]\n",
    )
    installation.add(ENTRY | {AGENTS: {"echo": "barter:echo"}}, code=asking + ECHO)
    agent = write(tmp_path, "name: a\nkind: echo\n", "a.yaml")
    judge = write(tmp_path, "name: j\nmethod: counting\n")
    db = f"sqlite:///{tmp_path}/x.db"
    simworld("run", "last-concert-ticket", "--agents", f"{agent},{agent}", "--db", db)
    judged = simworld("judge", "run", "--judge", judge, "--db", db)
    assert judged.output.startswith("0 scored, 1 failed, 0 already there"), judged.output
