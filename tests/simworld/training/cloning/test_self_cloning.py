from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agents.lm.local.local_model import LocalModel
from simworld.core.errors import InputError
from simworld.core.requests import ChatPrompt, Message
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM, open_frozen_lm
from simworld.training.cloning.neutrality import kl_divergence, measure_neutrality, random_actions
from simworld.training.cloning.reply_training import ReplyTrainingSettings, train_on_replies
from simworld.training.cloning.self_cloning import ClonedPlanner, CloneSettings, train_clone
from simworld.training.trainer import TrainingRecorder
from simworld.training.training_state import TrainingFile
from tests.factories import played_episodes

REPLIES = (" Yes, 5.", " No!", " Maybe 7?", " Go away.", " Deal.", " Hm, 3")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    before = torch.get_num_threads()
    yield played_episodes.load_tiny(played_episodes.save_tiny(tmp_path_factory.mktemp("llama")))
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def frozen_lm(local: LocalModel) -> Iterator[FrozenLM]:
    with open_frozen_lm(local, "end") as made:
        yield made


@pytest.fixture(scope="module")
def replies(frozen_lm: FrozenLM) -> list[EncodedReply]:
    samples = [
        played_episodes.make_stored_reply(
            ChatPrompt(
                messages=(Message(role="user", content=f"Of a {word}."),),
                reply_start="Bob: 4?\nAnn:",
            ),
            reply,
            family=word,
        )
        for word, reply in zip(("chair", "boat", "hat", "dog", "cup", "key"), REPLIES, strict=True)
    ]
    return frozen_lm.encode(samples)


def test_measures_are_those_of_the_full_distributions(
    frozen_lm: FrozenLM, replies: list[EncodedReply]
) -> None:
    upmap, action = played_episodes.upmap(), random_actions(1, 4, 9)[0]
    one = replies[:1]
    found = measure_neutrality(frozen_lm, one, lambda state: action.expand(len(state), -1), upmap)
    plain = frozen_lm.log_probs(one[0].hidden).double()
    steered = (
        frozen_lm.log_probs(frozen_lm.forward_reply(one[0], upmap(action[None])))[0]
        .double()
        .detach()
    )
    kl = sum(
        math.exp(plain[t, v]) * (plain[t, v] - steered[t, v])
        for t in range(plain.shape[0])
        for v in range(plain.shape[1])
    ) / len(plain)
    assert found.kl.mean == pytest.approx(float(kl), rel=1e-4)
    assert found.kl.n == len(one[0].targets) == len(" Yes, 5.\n")
    ce = [-float(dist[range(len(dist)), one[0].targets].mean()) for dist in (plain, steered)]
    assert found.unsteered_cross_entropy.mean == pytest.approx(ce[0], rel=1e-4)
    assert found.cross_entropy.mean == pytest.approx(ce[1], rel=1e-4)
    assert found.perplexity_ratio.mean == pytest.approx(math.exp(ce[1]) / math.exp(ce[0]), rel=1e-4)
    agree = (plain.argmax(-1) == steered.argmax(-1)).double().mean()
    assert found.agreement.mean == pytest.approx(float(agree))


def test_an_upmap_of_zero_rows_has_no_reach_and_intervals_cluster_by_family(
    frozen_lm: FrozenLM, replies: list[EncodedReply]
) -> None:
    upmap = played_episodes.upmap()
    with torch.no_grad():
        upmap.weight.zero_()
    found = measure_neutrality(frozen_lm, replies, lambda state: torch.ones(len(state), 4), upmap)
    assert found.reach.mean == pytest.approx(0, abs=1e-6)
    assert found.kl.mean == pytest.approx(found.random_kl.mean)
    assert found.kl.families == 6
    assert found.kl.low is not None
    with pytest.raises(ValueError, match="no values"):
        measure_neutrality(frozen_lm, [], lambda state: state, upmap)


def test_kl_by_hand() -> None:
    p, q = torch.tensor([0.5, 0.25, 0.25]).log(), torch.tensor([0.25, 0.25, 0.5]).log()
    assert float(kl_divergence(p, q)) == pytest.approx(0.25 * math.log(2))
    assert float(kl_divergence(p, p)) == 0


def test_random_actions_lie_on_the_sphere() -> None:
    actions = random_actions(50, 9, 1)
    torch.testing.assert_close(actions.norm(dim=1), torch.full((50,), 3.0))
    assert torch.equal(actions, random_actions(50, 9, 1))
    assert not torch.equal(actions, random_actions(50, 9, 2))


@pytest.mark.parametrize("loss", ["kl", "ce"])
def test_cloning_lowers_what_it_says(
    frozen_lm: FrozenLM, replies: list[EncodedReply], loss: str
) -> None:
    settings = CloneSettings(
        loss="kl" if loss == "kl" else "ce",
        hidden=(16,),
        training=ReplyTrainingSettings(steps=30, batch_size=4, lr=0.03),
    )
    upmap = played_episodes.upmap()
    start = random_actions(1, 4, 0)[0]
    before = measure_neutrality(
        frozen_lm, replies[:4], lambda state: start.expand(len(state), -1), upmap
    )
    planner = train_clone(frozen_lm, replies[:4], replies[:4], upmap, settings, start=start)
    after = measure_neutrality(frozen_lm, replies[:4], planner.action, planner.upmap)
    if loss == "kl":
        assert after.kl.mean < before.kl.mean - 0.1
    else:
        assert after.cross_entropy.mean < before.cross_entropy.mean - 0.1
    assert torch.equal(planner.upmap.weight, upmap.weight)  # frozen


def test_an_upmap_that_learns_along_is_held_to_its_reach_from_both_sides(
    frozen_lm: FrozenLM, replies: list[EncodedReply]
) -> None:
    def reach(target: float) -> float:
        descent = ReplyTrainingSettings(steps=40, batch_size=4, lr=0.01)
        settings = CloneSettings(
            train_upmap=True, reach_target=target, hidden=(16,), training=descent
        )
        planner = train_clone(frozen_lm, replies, replies, played_episodes.upmap(), settings)
        return measure_neutrality(frozen_lm, replies, planner.action, planner.upmap).reach.mean

    before = measure_neutrality(
        frozen_lm, replies, lambda state: random_actions(1, 4, 0), played_episodes.upmap()
    ).reach.mean
    assert reach(0.1) < 0.6 * before
    assert reach(3.0) > before + 0.3


@pytest.mark.parametrize(
    ("reach", "worse"), [(0.11, 0.0), (0.39, 0.0), (0.05, 3 * math.log(2)), (0.8, 3 * math.log(2))]
)
def test_the_moment_that_is_kept_is_neutral_and_has_about_the_reach(
    reach: float, worse: float
) -> None:
    settings = CloneSettings(train_upmap=True, reach_target=0.2, reach_weight=3.0)
    means = {"loss": 0.9, "kl": 0.006, "reach": reach}
    assert settings.dev_loss(means) == pytest.approx(0.006 + worse)
    assert CloneSettings().dev_loss({"loss": 0.9, "kl": 0.9}) == 0.9


def test_descent_ranks_moments_by_what_it_is_told(replies: list[EncodedReply]) -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(1.0)

    def loss(encoded_reply: EncodedReply, seed: int) -> tuple[Tensor, dict[str, float]]:
        return (module.weight**2).sum(), {"weight": float(module.weight.detach())}

    how = ReplyTrainingSettings(steps=3, batch_size=1, lr=0.1, evals=3)
    train_on_replies(module, loss, replies, replies, how, dev_loss=lambda means: -means["weight"])
    assert float(module.weight.detach()) == 1.0  # the largest weight is where it began


def test_the_same_seed_gives_the_same_planner_and_the_model_stays_frozen(
    frozen_lm: FrozenLM, replies: list[EncodedReply], local: LocalModel
) -> None:
    weights = {name: value.clone() for name, value in local.model.state_dict().items()}
    settings = CloneSettings(
        train_upmap=True, hidden=(8,), training=ReplyTrainingSettings(steps=3, batch_size=2)
    )
    global_state = torch.get_rng_state()
    made = [
        train_clone(frozen_lm, replies[:4], replies[4:], played_episodes.upmap(), settings)
        for _ in range(2)
    ]
    played_episodes.upmap()  # draws what the two runs' up-mappings drew
    assert all(
        torch.equal(a, b) for a, b in zip(made[0].parameters(), made[1].parameters(), strict=True)
    )
    other = CloneSettings(
        train_upmap=True, hidden=(8,), training=ReplyTrainingSettings(steps=3, batch_size=2, seed=1)
    )
    third = train_clone(frozen_lm, replies[:4], replies[4:], played_episodes.upmap(), other)
    assert not torch.equal(third.upmap.weight, made[0].upmap.weight)
    assert all(
        torch.equal(value, weights[name]) for name, value in local.model.state_dict().items()
    )
    assert not any(p.requires_grad for p in local.model.parameters())
    torch.set_rng_state(global_state)


def test_a_planner_goes_on_from_another(frozen_lm: FrozenLM, replies: list[EncodedReply]) -> None:
    settings = CloneSettings(hidden=(8,), training=ReplyTrainingSettings(steps=4, batch_size=2))
    first = train_clone(frozen_lm, replies[:4], replies[4:], played_episodes.upmap(), settings)
    still = CloneSettings(training=ReplyTrainingSettings(steps=1, batch_size=1, lr=1e-12))
    again = train_clone(frozen_lm, replies[:4], replies[4:], first.upmap, still, start=first)
    state = replies[0].state[None]
    torch.testing.assert_close(again.action(state), first.action(state))
    assert isinstance(again, ClonedPlanner)
    assert again.actor is not first.actor


def test_a_descent_that_was_stopped_ends_bitwise_like_one_in_one_go(
    frozen_lm: FrozenLM, replies: list[EncodedReply], tmp_path: Path
) -> None:
    how = ReplyTrainingSettings(steps=12, batch_size=2, evals=3)

    def run(file: TrainingFile | None = None, stop: int = 0) -> tuple[ClonedPlanner, list[int]]:
        heard: list[int] = []

        def log(step: int, metrics: object) -> None:
            if stop and step == stop:
                raise KeyboardInterrupt
            heard.append(step)

        settings = CloneSettings(train_upmap=True, training=how, hidden=(8,))
        return train_clone(
            frozen_lm,
            replies[:-1],
            replies[-1:],
            played_episodes.upmap(),
            settings,
            recorder=TrainingRecorder(file=file, sink=log),
        ), heard

    whole, _ = run()
    file = TrainingFile(path=tmp_path / "work" / "descent.safetensors", identity={"lr": how.lr})
    with pytest.raises(KeyboardInterrupt):
        run(file, stop=8)
    resumed, heard = run(file)
    assert heard == list(range(6, 13))  # the state was kept after five steps
    assert all(
        torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items()
    )
    assert run(file)[1] == []  # it had come to its end
    with pytest.raises(
        InputError, match="is of a training with another lr; train into another folder"
    ):
        run(TrainingFile(path=file.path, identity={"lr": 1.0}))


def test_descent_keeps_the_best_and_refuses_a_loss_that_is_no_number(
    replies: list[EncodedReply],
) -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(0.1)
    heard: list[int] = []

    def loss(encoded_reply: EncodedReply, seed: int) -> tuple[Tensor, dict[str, float]]:
        return (module.weight**2).sum(), {}

    how = ReplyTrainingSettings(
        steps=6, batch_size=1, lr=1.0, evals=6
    )  # far too fast: it overshoots
    recorder = TrainingRecorder(sink=lambda step, metrics: heard.append(step))
    train_on_replies(module, loss, replies, replies, how, recorder=recorder)
    assert float(module.weight.detach()) == pytest.approx(0.1)  # where it began
    assert heard == list(range(7))
    with torch.no_grad():
        module.weight.fill_(math.inf)
    with pytest.raises(InputError, match=r"the loss is inf at step 1; lower the learning rate"):
        train_on_replies(module, loss, replies, replies, how)
    with pytest.raises(ValueError, match="no encoded replies"):
        train_on_replies(module, loss, [], replies, how)
