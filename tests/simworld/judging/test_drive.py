"""Many judgements at once over one backend."""

from __future__ import annotations

from collections.abc import Iterator

from simworld.core.errors import Failure
from simworld.core.judgement import Verdict
from simworld.core.requests import Completion, Request, Score, Scored, TextPrompt
from simworld.judging.drive import drive
from simworld.judging.local import Judging
from tests.factories.judging import AnsweringBackend, scored


def judging(*prompts: str) -> Judging:
    """Asks each prompt and returns the sum of what it got."""
    total = 0.0
    for prompt in prompts:
        completion = yield Score(prompt=TextPrompt(text=prompt), continuations=("x",))
        if isinstance(completion, Failure):
            return completion
        assert isinstance(completion, Scored)
        total += completion.logprobs[0]
    return (Verdict(seat="a", dimension="d", score=total),)


def length(request: Request) -> Completion:
    assert isinstance(request, Score)
    assert isinstance(request.prompt, TextPrompt)
    if request.prompt.text == "bad":
        return Failure(boundary="model", kind="too-long", message="")
    return scored(request, lambda prompt, c: float(len(prompt)))


def test_each_judgement_gets_its_own_answers_and_a_bad_one_fails_alone() -> None:
    backend = AnsweringBackend(length)
    prompts: list[tuple[str, ...]] = [("a", "bb"), ("bad", "a"), ("ccc",), ()]
    ended = {j.key: j.outcome for j in drive(((p, judging(*p)) for p in prompts), backend)}
    assert isinstance(ended.pop(("bad", "a")), Failure)
    scores = {
        key: outcome[0].score for key, outcome in ended.items() if not isinstance(outcome, Failure)
    }
    assert scores == {("a", "bb"): 3.0, ("ccc",): 3.0, (): 0.0}


def test_at_most_live_judgements_are_begun() -> None:
    backend = AnsweringBackend(length)
    begun = ended = most = 0

    def many() -> Iterator[tuple[int, Judging]]:
        nonlocal begun, most
        for i in range(50):
            begun += 1
            most = max(most, begun - ended)
            yield i, judging("a" * (i + 1), "b" * (i + 1))

    for _ in drive(many(), backend, live=4):
        ended += 1
    assert ended == 50
    assert backend.most_open <= 4
    assert most <= 5


def test_equal_scores_are_asked_once_and_cost_once() -> None:
    backend = AnsweringBackend(length)
    ended = list(drive(((i, judging("same", "same too")) for i in range(10)), backend, live=4))
    assert [
        r.prompt.text
        for r in backend.asked
        if isinstance(r, Score) and isinstance(r.prompt, TextPrompt)
    ] == [
        "same",
        "same too",
    ]
    assert sum(j.usage.prompt_tokens for j in ended) == 20
    assert all(not isinstance(j.outcome, Failure) and j.outcome[0].score == 12.0 for j in ended)


def test_a_failure_is_not_kept() -> None:
    backend = AnsweringBackend(length)
    list(drive(((i, judging("bad")) for i in range(3)), backend, live=1))
    assert len(backend.asked) == 3
