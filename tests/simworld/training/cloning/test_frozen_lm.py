from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from agents.lm.local.local_model import LocalModel
from simworld.core.requests import ChatPrompt, Message, Position
from simworld.training.cloning.frozen_lm import open_frozen_lm
from simworld.training.cloning.stored_replies import StoredReply
from tests.factories import played_episodes

PROMPTS = (
    ChatPrompt(
        messages=(Message(role="user", content="A play about a chair."),), reply_start="Ann:"
    ),
    ChatPrompt(
        messages=(Message(role="user", content="A play about a chair."),),
        reply_start="Ann: It is 5.\nBob: No, 3.\nAnn:",
    ),
)


@pytest.fixture(scope="module", params=["llama", "mistral"])
def local(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalModel]:
    before = torch.get_num_threads()
    yield played_episodes.load_tiny(
        played_episodes.save_tiny(tmp_path_factory.mktemp(request.param), request.param)
    )
    torch.set_num_threads(before)


def by_hand(
    local: LocalModel, sample: StoredReply, prefix: Tensor | None, position: Position
) -> Tensor:
    """Log-probabilities behind which the reply's tokens follow: one pass over the whole text, no
    cache."""
    (whole,) = local.prompt_tokenizer.tokenise_continuations(
        sample.prompt, [sample.reply + (sample.stop or "")]
    )
    at = local.prompt_tokenizer.tokenise(sample.prompt, position).prefix_index
    with local.with_original_attention() as model, torch.no_grad():
        embedded = model.get_input_embeddings()(torch.tensor(whole.ids))
        length = 0
        if prefix is not None:
            embedded, length = torch.cat([embedded[:at], prefix, embedded[at:]]), len(prefix)
        logits = model(inputs_embeds=embedded[None], use_cache=False).logits[0]
    found: Tensor = logits[whole.start + length - 1 : -1].log_softmax(-1)
    return found


@contextmanager
def reads(local: LocalModel) -> Iterator[list[int]]:
    """How many tokens the model reads in each pass."""
    read: list[int] = []
    counted = local.model.base_model.register_forward_pre_hook(
        lambda _, __, given: read.append(
            given.get("input_ids", given.get("inputs_embeds")).shape[1]
        ),
        with_kwargs=True,
    )
    yield read
    counted.remove()


@pytest.mark.parametrize("position", ["start", "mid", "end"])
def test_a_prefix_reads_as_embeddings_put_into_the_whole_text(
    local: LocalModel, position: Position
) -> None:
    samples = [
        played_episodes.make_stored_reply(prompt, turn=turn) for turn, prompt in enumerate(PROMPTS)
    ]
    prefixes = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(0))
    with open_frozen_lm(local, position) as frozen_lm:
        replies = frozen_lm.encode(samples)
        found = [
            frozen_lm.log_probs(frozen_lm.forward_reply(encoded_reply, prefixes))
            for encoded_reply in replies
        ]
        plain = [frozen_lm.log_probs(encoded_reply.hidden) for encoded_reply in replies]
    for i, sample in enumerate(samples):
        assert len(replies[i].targets) == len(" Yes, 5.\n")  # a token for each byte
        torch.testing.assert_close(
            plain[i], by_hand(local, sample, None, position), atol=2e-5, rtol=0
        )
        for row in range(2):
            torch.testing.assert_close(
                found[i][row], by_hand(local, sample, prefixes[row], position), atol=2e-5, rtol=0
            )


@pytest.mark.parametrize("position", ["start", "mid", "end"])
def test_the_state_is_the_unsteered_one_before_the_header(
    local: LocalModel, position: Position
) -> None:
    sample = played_episodes.make_stored_reply(PROMPTS[1], turn=1)
    with open_frozen_lm(local, position) as frozen_lm:
        (encoded_reply,) = frozen_lm.encode([sample])
    ids = local.prompt_tokenizer.encode(sample.prompt)[: -len("Ann:")]
    with local.with_original_attention() as model, torch.no_grad():
        expected = model.base_model(
            input_ids=torch.tensor([ids]), use_cache=False
        ).last_hidden_state[0, -1]
    torch.testing.assert_close(encoded_reply.state[:-1], expected, atol=2e-5, rtol=0)
    assert encoded_reply.state[-1] == 0.75  # three of four turns are left


def test_dropped_caches_are_read_again(local: LocalModel) -> None:
    samples = [played_episodes.make_stored_reply(PROMPTS[1], family=family) for family in "abc"]
    prefixes = torch.randn(1, 2, 32, generator=torch.Generator().manual_seed(0))
    with open_frozen_lm(local, "end") as frozen_lm:
        expected = [
            frozen_lm.forward_reply(encoded_reply, prefixes)
            for encoded_reply in frozen_lm.encode(samples)
        ]
    with open_frozen_lm(local, "end", cache_bytes=1) as frozen_lm:
        replies = frozen_lm.encode(samples)
        # The last one is still there; each of the others takes the place of the one before.
        for encoded_reply, wanted in [*zip(replies, expected, strict=True)][::-1]:
            with reads(local) as read:
                torch.testing.assert_close(frozen_lm.forward_reply(encoded_reply, prefixes), wanted)
            again = [] if encoded_reply is replies[-1] else [1]
            assert read == [*again, 2 + len("Ann: Yes, 5.\n")]


def test_seats_that_begin_alike_read_the_beginning_once(local: LocalModel) -> None:
    samples = [
        played_episodes.make_stored_reply(PROMPTS[1], family="a"),
        played_episodes.make_stored_reply(PROMPTS[1], family="b"),
        played_episodes.make_stored_reply(PROMPTS[0], family="c"),
    ]
    prefix = torch.randn(1, 2, 32, generator=torch.Generator().manual_seed(0))
    with open_frozen_lm(local, "end") as frozen_lm:
        with reads(local) as read:
            replies = frozen_lm.encode(samples)
        found = [
            frozen_lm.log_probs(frozen_lm.forward_reply(encoded_reply, prefix))[0]
            for encoded_reply in replies
        ]
    # What stands before the header; then header and reply. Of what is alike the last token is read
    # again: its output is the state.
    header_and_reply = len("Ann: Yes, 5.\n")
    at = [encoded_reply.prefix_start for encoded_reply in replies]
    assert read == [at[0], header_and_reply, 1, header_and_reply, 1, header_and_reply]
    for one, sample in zip(found, samples, strict=True):
        torch.testing.assert_close(one, by_hand(local, sample, prefix[0], "end"), atol=2e-5, rtol=0)


def test_gradients_reach_the_prefix_and_nothing_else(local: LocalModel) -> None:
    before = {name: value.clone() for name, value in local.model.state_dict().items()}
    prefixes = torch.randn(1, 2, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with open_frozen_lm(local, "end") as frozen_lm:
        (encoded_reply,) = frozen_lm.encode([played_episodes.make_stored_reply(PROMPTS[0])])
        torch.autograd.backward(
            frozen_lm.log_probs(frozen_lm.forward_reply(encoded_reply, prefixes)).sum()
        )
    assert prefixes.grad is not None
    assert float(prefixes.grad.abs().sum()) > 0
    assert not any(p.requires_grad or p.grad is not None for p in local.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in local.model.state_dict().items())


def test_the_end_of_a_reply_is_taught_where_it_was_written(local: LocalModel) -> None:
    with open_frozen_lm(local, "end") as frozen_lm:
        replies = frozen_lm.encode(
            [
                played_episodes.make_stored_reply(PROMPTS[0], " Hi", stop=stop)
                for stop in (None, "\n", "")
            ]
        )
    assert [len(encoded_reply.targets) for encoded_reply in replies] == [3, 4, 4]
    assert replies[2].targets[-1] == 0  # </s>


def test_what_does_not_fit_the_context_is_left_out(local: LocalModel) -> None:
    long = ChatPrompt(messages=(Message(role="user", content="a" * 1100),), reply_start="Ann:")
    with open_frozen_lm(local, "end") as frozen_lm:
        assert (
            len(
                frozen_lm.encode(
                    [
                        played_episodes.make_stored_reply(long),
                        played_episodes.make_stored_reply(PROMPTS[0], family="g"),
                    ]
                )
            )
            == 1
        )
