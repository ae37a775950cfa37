"""The training loop, on a task whose every moment is known by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from simworld.core.errors import InputError
from simworld.training.trainer import TrainingRecorder, TrainingSchedule, gradient_step, train
from simworld.training.training_state import TrainingFile


class Counting:
    """Counts its steps; its loss is the number of the step, its scores are given."""

    def __init__(self, scores: Sequence[float | None] = (), *, fails_at: int = 0) -> None:
        self.module, self.scores, self.fails_at = nn.Module(), list(scores), fails_at
        self.module.register_buffer("count", torch.zeros(1))

    def step(self, number: int) -> Mapping[str, float]:
        self.count.add_(1)
        return {"loss": float(number)} | ({"even": float(number)} if number % 2 == 0 else {})

    def failure(self, number: int, metrics: Mapping[str, float]) -> str | None:
        return f"lost at {number}" if self.fails_at and number >= self.fails_at else None

    def evaluate(self) -> tuple[Mapping[str, float], float | None]:
        return {"count": float(self.count)}, self.scores.pop(0) if self.scores else None

    @property
    def count(self) -> Tensor:
        return self.module.get_buffer("count")

    def state_dict(self) -> Mapping[str, Tensor]:
        return {"count": self.count}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.count.copy_(state["count"])


def every(interval: int, steps: int, patience: int = 0) -> TrainingSchedule:
    return TrainingSchedule(steps=steps, eval_interval=interval, patience=patience)


def recorder(
    folder: Path, *, identity: Mapping[str, object] | None = None, **told: Any
) -> TrainingRecorder:
    file = TrainingFile(path=folder / "work" / "t.safetensors", identity=identity or {"seed": 1})
    return TrainingRecorder(file=file, **told)


def test_metrics_are_means_since_they_were_last_told() -> None:
    told: list[tuple[int, Mapping[str, float]]] = []
    done: list[tuple[int, int, str]] = []
    train(
        Counting(),
        every(2, 5),
        TrainingRecorder(
            sink=lambda *row: told.append(row),
            on_progress=lambda *row: done.append(row),
            note="counting",
        ),
    )
    assert told == [
        (2, {"loss": 1.5, "even": 2, "count": 2}),
        (4, {"loss": 3.5, "even": 4, "count": 4}),
        (5, {"loss": 5, "count": 5}),
    ]
    assert done == [(step, 5, "counting") for step in range(1, 6)]


def test_evaluations_are_spread_evenly_and_may_come_before_the_first_step() -> None:
    told: list[tuple[int, Mapping[str, float]]] = []
    schedule = TrainingSchedule(
        steps=10, log_interval=1, eval_interval=Fraction(10, 4), save_interval=5, eval_first=True
    )
    train(Counting(), schedule, TrainingRecorder(sink=lambda *row: told.append(row)))
    assert [step for step, _ in told] == list(range(11))
    # at the first step at or after 2.5, 5, 7.5 and 10
    assert [step for step, metrics in told if "count" in metrics] == [0, 3, 5, 8, 10]


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ((1.0, 3.0, 2.0), 2),
        ((3.0, 3.0, 3.0), 1),  # the first of equals
        ((math.nan, -5.0, math.inf), 2),  # what ran away is the worst
        ((math.nan, math.nan, math.nan), 1),
        ((None, None, None), 3),  # without a score the last
    ],
)
def test_the_best_moment_is_kept(scores: Sequence[float | None], best: int) -> None:
    reached = train(Counting(scores), every(1, 3))
    assert (reached.step, reached.best_step) == (3, best)
    assert reached.best_weights["count"].item() == best
    assert reached.best_metrics["count"] == best


def test_patience_counts_evaluations_without_a_better_one(tmp_path: Path) -> None:
    scores = (1.0, 2.0, 0.0, 0.0, 9.0)
    reached = train(Counting(scores), every(3, 99, patience=2), recorder(tmp_path))
    assert (reached.step, reached.best_step, reached.evals_since_best) == (12, 6, 2)
    again = train(Counting(scores), every(3, 99, patience=2), recorder(tmp_path))
    assert again == reached  # it had stopped already


def test_a_stopped_training_goes_on_from_its_file(tmp_path: Path) -> None:
    def stop(done: int, total: int, note: str) -> None:
        if done == 5:
            raise KeyboardInterrupt

    schedule, scores = every(2, 8), (4.0, 1.0, math.nan, 2.0)
    with pytest.raises(KeyboardInterrupt):
        train(Counting(scores), schedule, recorder(tmp_path, on_progress=stop))
    told: list[int] = []
    again = recorder(tmp_path, sink=lambda step, _: told.append(step))
    reached = train(Counting(scores[2:]), schedule, again)
    assert told == [6, 8]
    assert reached == train(Counting(scores), schedule)


def test_a_training_that_cannot_go_on_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lost at 4"):
        train(Counting(fails_at=3), every(2, 8), recorder(tmp_path))
    assert not list((tmp_path / "work").iterdir())


def test_another_training_another_version_and_damage_are_refused(tmp_path: Path) -> None:
    train(Counting(), every(2, 4), recorder(tmp_path))
    with pytest.raises(InputError, match="is of a training with another seed, size; train into"):
        train(Counting(), every(2, 4), recorder(tmp_path, identity={"seed": 2, "size": 3}))
    metadata = {"place": '{"step": 2, "looks_since": 0}', "training": '{"seed": 1}'}
    (file,) = (tmp_path / "work").iterdir()
    save_file({"learner.count": torch.ones(1)}, file, metadata=metadata)
    with pytest.raises(InputError, match="is of a training with another version; train into"):
        train(Counting(), every(2, 4), recorder(tmp_path))
    file.write_bytes(b"not tensors")
    with pytest.raises(InputError, match="not the state of a training"):
        train(Counting(), every(2, 4), recorder(tmp_path))


def test_a_gradient_step_moves_the_optimisers_parameters_alone() -> None:
    mine, other = nn.Parameter(torch.tensor([3.0, 4.0])), nn.Parameter(torch.ones(2))
    optimiser = torch.optim.SGD([mine], lr=1.0)
    for _ in range(2):  # the second step does not add to the gradient of the first
        gradient_step(optimiser, ((mine * other).sum() / 2 for _ in range(2)))
    assert mine.tolist() == [1.0, 2.0]
    assert other.grad is None
    gradient_step(optimiser, [(mine * torch.tensor([3.0, 4.0])).sum()], max_norm=1.0)
    torch.testing.assert_close(mine.detach(), torch.tensor([1 - 0.6, 2 - 0.8]))
