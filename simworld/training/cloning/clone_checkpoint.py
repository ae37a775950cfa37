"""Stored replies become a checkpoint: a cloned planner, or a latent up-mapping with its neutral
action.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mode

import torch

from agents.lm.local.local_model import LocalModel
from agents.steering.checkpoint import ActorInfo, Checkpoint, EncoderInfo
from agents.steering.planner import project_action
from agents.steering.state_encoders import lm_encoder_id, load_text_encoder
from simworld.core.arrays import EmbedTexts
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.core.progress import MetricsSink, ReportProgress
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM, open_frozen_lm
from simworld.training.cloning.latent_map import LatentMap, LatentSettings, train_latent_map
from simworld.training.cloning.neutrality import Neutrality, measure_neutrality
from simworld.training.cloning.self_cloning import ClonedPlanner, CloneSettings, train_clone
from simworld.training.cloning.stored_replies import StoredReply, sample_by_family, stored_replies
from simworld.training.data.family_splits import DataSplit, assign_splits
from simworld.training.data.fit_normalizer import normalizer_from_states
from simworld.training.trainer import TrainingRecorder
from simworld.training.training_state import TrainingFile
from store import Store

STATE_FILE = "descent.safetensors"
DEV_REPLIES = 16  # replies that a checkpoint is chosen by


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyQuery:
    """Which stored replies are learned from, chosen by and measured on."""

    run: str | None = None
    agent: str | None = None
    train: int = 240  # replies, at most
    dev: int = DEV_REPLIES
    test: int = 60
    seed: int = 0  # of the split of families and of the choice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CloningData:
    """A frozen language model with replies that it wrote, split by families."""

    frozen_lm: FrozenLM
    replies: dict[DataSplit, list[EncodedReply]]
    provenance: dict[str, object]  # for the checkpoint: the query, rows, content hash, families
    prompt_version: str
    dtype: str  # in which most replies were written


@contextmanager
def open_cloning_data(
    store: Store,
    local: LocalModel,
    base: Checkpoint,
    query: ReplyQuery,
    on_progress: ReportProgress = lambda done, total, what: None,
) -> Iterator[CloningData]:
    """Reads the replies of a query, encoded for a checkpoint's language model and the place of its
    prefix.

    Raises InputError where no reply fits, or where they come from several prompts or too few
    families.
    """
    stored = list(stored_replies(store, model_id=base.info.lm_id, run=query.run, agent=query.agent))
    _check_replies(stored, base, query)
    split_of = assign_splits((reply.family for reply in stored), seed=query.seed)
    chosen: dict[DataSplit, list[StoredReply]] = {}
    counts: dict[DataSplit, int] = {"train": query.train, "dev": query.dev, "test": query.test}
    for split, limit in counts.items():
        in_split = (reply for reply in stored if split_of[reply.family] == split)
        chosen[split] = sample_by_family(in_split, limit, seed=query.seed)
    content_hash = hashlib.sha256(
        json.dumps(
            [(s.family, s.episode, s.observation.turn, s.reply) for s in chosen["train"]]
        ).encode()
    )
    data = {
        "query": asdict(query),
        "rows": len(chosen["train"]),
        "sha256": content_hash.hexdigest(),
        "families": {split: sorted({s.family for s in part}) for split, part in chosen.items()},
    }
    with open_frozen_lm(local, base.info.position) as frozen_lm:
        total, done = sum(map(len, chosen.values())), 0
        replies: dict[DataSplit, list[EncodedReply]] = {}
        for split, members in chosen.items():
            report = _offset_progress(done, total, on_progress)
            replies[split] = _encode_states(frozen_lm.encode(members, report), base)
            if not replies[split]:
                raise InputError(
                    f"no reply of the {split} families fits the model's context of"
                    f" {local.context_length}"
                    " tokens"
                )
            done += len(members)
        yield CloningData(
            frozen_lm=frozen_lm,
            replies=replies,
            provenance=data,
            prompt_version=stored[0].template_version,
            dtype=mode(sorted(reply.dtype for reply in stored)) or local.dtype,
        )


def clone_checkpoint(
    cloning: CloningData,
    base: Checkpoint,
    settings: CloneSettings,
    *,
    sink: MetricsSink,
    on_progress: ReportProgress,
    state_folder: Path | None = None,
) -> tuple[Checkpoint, Neutrality]:
    """Trains a planner that changes nothing, as far as that goes; gives its checkpoint and how
    neutral it is on the test families.

    The training's state is kept in `state_folder`, from which the same call goes on. Raises
    InputError where the loss is no longer finite, or the state is of another training.
    """
    replies = cloning.replies
    start = ClonedPlanner(base.actor, base.normalizer, base.upmap) if base.actor else base.constant
    planner = train_clone(
        cloning.frozen_lm,
        replies["train"],
        replies["dev"],
        base.upmap,
        settings,
        start=start,
        recorder=_recorder(cloning, base, settings, sink, on_progress, state_folder),
    )
    neutrality = measure_neutrality(
        cloning.frozen_lm,
        replies["test"],
        planner.action,
        planner.upmap,
        seed=settings.training.seed,
        on_progress=lambda done, total: on_progress(done, total, "measuring"),
    )
    info = base.info.derived(
        **_derived_info(cloning, base),
        actor=ActorInfo(hidden=planner.actor.hidden, projection="sphere"),
        constant=False,
        upmap="cloned" if settings.train_upmap else base.info.upmap,
        metrics=neutrality.means(),
    )
    checkpoint = Checkpoint(
        info=info,
        upmap=planner.upmap,
        actor=planner.actor,
        mean=planner.normalizer.mean,
        std=planner.normalizer.std,
        ways=base.ways,
    )
    return checkpoint, neutrality


def latent_checkpoint(
    cloning: CloningData,
    clone: Checkpoint,
    settings: LatentSettings,
    *,
    embed: EmbedTexts,
    sink: MetricsSink,
    on_progress: ReportProgress,
    state_folder: Path | None = None,
) -> tuple[Checkpoint, LatentMap, Neutrality]:
    """Trains a latent up-mapping around a clone's prefix, or around the neutral one of another
    latent up-mapping; gives a checkpoint with its neutral action as a constant, and what both are
    worth on the test families.

    The training's state is kept in `state_folder`, from which the same call goes on. Raises
    InputError as `train_latent_map`, and where the checkpoint to begin with has no planner: an
    up-mapping alone has no prefix that changes nothing.
    """
    if clone.actor is None and clone.constant is None:
        raise InputError(
            f"checkpoint {clone.id[:11]}… has no planner; a latent up-mapping is made around a"
            " clone's prefix (train clone)"
        )
    replies = cloning.replies
    if (clone_action := clone.neutral_action) is None:
        with torch.no_grad():
            actions = clone.choose_actions(torch.stack([reply.state for reply in replies["train"]]))
        clone_action = project_action(actions.mean(0), clone.projection)
    latent = train_latent_map(
        cloning.frozen_lm,
        replies["train"],
        replies["dev"],
        replies["test"],
        clone.upmap,
        clone_action,
        settings,
        embed=embed,
        recorder=_recorder(cloning, clone, settings, sink, on_progress, state_folder),
    )
    neutral = latent.neutral_action
    neutrality = measure_neutrality(
        cloning.frozen_lm,
        replies["test"],
        lambda state: neutral.expand(len(state), -1),
        latent.upmap,
        on_progress=lambda done, total: on_progress(done, total, "measuring"),
    )
    info = clone.info.derived(
        **_derived_info(cloning, clone),
        actor=None,
        constant=True,
        d_action=latent.upmap.d_action,
        upmap="latent",
        ways=len(latent.ways),
        way_words=latent.way_words if any(latent.way_words) else (),
        metrics=neutrality.means() | {"log_ratio": latent.log_ratio.mean},
    )
    normalizer = normalizer_from_states([reply.state for reply in replies["train"]])
    checkpoint = Checkpoint(
        info=info,
        upmap=latent.upmap,
        mean=normalizer.mean,
        std=normalizer.std,
        constant=neutral,
        ways=latent.ways,
    )
    return checkpoint, latent, neutrality


def _recorder(
    cloning: CloningData,
    base: Checkpoint,
    settings: CloneSettings | LatentSettings,
    sink: MetricsSink,
    on_progress: ReportProgress,
    state_folder: Path | None,
) -> TrainingRecorder:
    identity = {"base": base.id, "data": cloning.provenance["sha256"], **settings.to_json()}
    state_file = (
        TrainingFile(path=state_folder / STATE_FILE, identity=identity) if state_folder else None
    )
    return TrainingRecorder(file=state_file, sink=sink, on_progress=on_progress, note="learning")


def _offset_progress(offset: int, total: int, tell: ReportProgress) -> Callable[[int, int], None]:
    return lambda done, _: tell(offset + done, total, "reading")


def _derived_info(cloning: CloningData, base: Checkpoint) -> dict[str, object]:
    encoder = base.info.encoder
    if encoder.kind == "lm":
        encoder = EncoderInfo(kind="lm", id=lm_encoder_id(base.info.lm_id, cloning.prompt_version))
    return {
        "dtype": cloning.dtype,
        "encoder": encoder,
        "data": cloning.provenance,
        "parent": base.id,
        "prompt_version": cloning.prompt_version,
    }


def _encode_states(replies: Sequence[EncodedReply], base: Checkpoint) -> list[EncodedReply]:
    """Gives the encoded replies states of the checkpoint's encoder; the model's own are there
    already.
    """
    if base.info.encoder.kind == "lm":
        return list(replies)
    encoder = load_text_encoder(base.info.encoder.model)
    return [
        replace(
            reply, state=torch.from_numpy(encoder.make_state(reply.stored_reply.observation, None))
        )
        for reply in replies
    ]


def _check_replies(stored: Sequence[StoredReply], base: Checkpoint, query: ReplyQuery) -> None:
    options = " ".join(
        f"--{name} {value}" for name in ("run", "agent") if (value := getattr(query, name))
    )
    if not stored:
        raise InputError(
            f"no unsteered replies of {base.info.lm_spec} ({base.info.lm_id[:12]}…) are"
            f" stored{options and f' for {options}'}; play some with `simworld run` and an agent of"
            " that model without steering"
        )
    versions = sorted({reply.template_version for reply in stored})
    if len(versions) > 1:
        raise InputError(
            f"these replies were made with {counted(len(versions), 'prompt')}"
            f" ({', '.join(versions)}); choose with --agent"
        )
