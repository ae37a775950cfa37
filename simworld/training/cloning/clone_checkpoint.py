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
from agents.steering.planner import project
from agents.steering.state_encoders import lm_encoder_id, load_text_encoder
from simworld.core.arrays import EmbedTexts
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.core.progress import MetricsSink, ReportProgress
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM, open_frozen_lm
from simworld.training.cloning.latent_learning import LatentMap, LatentSettings, learn_latent
from simworld.training.cloning.neutrality import Neutrality, measure
from simworld.training.cloning.self_cloning import ClonedPlanner, CloneSettings, clone
from simworld.training.cloning.stored_replies import (
    DataSplit,
    StoredReply,
    part_of,
    stored_replies,
    take,
)
from simworld.training.data.fit_normalizer import normalizer_from_states
from simworld.training.trainer import TrainingRecorder
from simworld.training.training_state import TrainingFile
from store import Store

PROGRESS = "descent.safetensors"
DEV = 16  # replies that a checkpoint is chosen by


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyQuery:
    """Which stored replies are learned from, chosen by and measured on."""

    run: str | None = None
    agent: str | None = None
    train: int = 240  # replies, at most
    dev: int = DEV
    test: int = 60
    seed: int = 0  # of the split of families and of the choice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CloningData:
    """A frozen language model with replies that it wrote, split by families."""

    frozen_lm: FrozenLM
    encoded_replies: dict[DataSplit, list[EncodedReply]]
    data: dict[str, object]  # for the checkpoint: the query, rows, content hash, families
    prompt_version: str
    dtype: str  # in which most replies were written


@contextmanager
def open_cloning_data(
    store: Store,
    local: LocalModel,
    base: Checkpoint,
    query: ReplyQuery,
    show: ReportProgress = lambda done, total, what: None,
) -> Iterator[CloningData]:
    """Reads the replies of a query, encoded for a checkpoint's language model and the place of its
    prefix.

    Raises InputError where no reply fits, or where they come from several prompts or too few
    families.
    """
    samples = list(
        stored_replies(store, model_id=base.info.lm_id, run=query.run, agent=query.agent)
    )
    _check(samples, base, query)
    parts = part_of((sample.family for sample in samples), seed=query.seed)
    taken: dict[DataSplit, list[StoredReply]] = {}
    wanted: dict[DataSplit, int] = {"train": query.train, "dev": query.dev, "test": query.test}
    for part, count in wanted.items():
        taken[part] = take((s for s in samples if parts[s.family] == part), count, seed=query.seed)
    digest = hashlib.sha256(
        json.dumps(
            [(s.family, s.episode, s.observation.turn, s.reply) for s in taken["train"]]
        ).encode()
    )
    data = {
        "query": asdict(query),
        "rows": len(taken["train"]),
        "sha256": digest.hexdigest(),
        "families": {part: sorted({s.family for s in found}) for part, found in taken.items()},
    }
    with open_frozen_lm(local, base.info.position) as frozen_lm:
        total, read = sum(map(len, taken.values())), 0
        encoded_replies: dict[DataSplit, list[EncodedReply]] = {}
        for part, found in taken.items():
            encoded_replies[part] = _with_states(
                frozen_lm.encode(found, _after(read, total, show)), base
            )
            if not encoded_replies[part]:
                raise InputError(
                    f"no reply of the {part} families fits the model's context of {local.context}"
                    " tokens"
                )
            read += len(found)
        yield CloningData(
            frozen_lm=frozen_lm,
            encoded_replies=encoded_replies,
            data=data,
            prompt_version=samples[0].template_version,
            dtype=mode(sorted(sample.dtype for sample in samples)) or local.dtype,
        )


def clone_planner(
    cloning: CloningData,
    base: Checkpoint,
    settings: CloneSettings,
    *,
    log: MetricsSink,
    show: ReportProgress,
    work: Path | None = None,
) -> tuple[Checkpoint, Neutrality]:
    """Trains a planner that changes nothing, as far as that goes; gives its checkpoint and how
    neutral it is on the test families.

    The training's state is kept in the folder `work`, from which the same call goes on. Raises
    InputError where the loss is no longer finite, or the state is of another training.
    """
    encoded_replies = cloning.encoded_replies
    before = ClonedPlanner(base.actor, base.normalizer, base.upmap) if base.actor else base.constant
    planner = clone(
        cloning.frozen_lm,
        encoded_replies["train"],
        encoded_replies["dev"],
        base.upmap,
        settings,
        start=before,
        recorder=_recorder(cloning, base, settings, log, show, work),
    )
    found = measure(
        cloning.frozen_lm,
        encoded_replies["test"],
        planner.action,
        planner.upmap,
        seed=settings.descent.seed,
        on_progress=lambda done, total: show(done, total, "measuring"),
    )
    info = base.info.derived(
        **_made_here(cloning, base),
        actor=ActorInfo(hidden=planner.actor.hidden, projection="sphere"),
        constant=False,
        upmap="cloned" if settings.train_upmap else base.info.upmap,
        metrics=found.plain(),
    )
    made = Checkpoint(
        info=info,
        upmap=planner.upmap,
        actor=planner.actor,
        mean=planner.normalizer.mean,
        std=planner.normalizer.std,
        ways=base.ways,
    )
    return made, found


def latent_upmap(
    cloning: CloningData,
    clone: Checkpoint,
    settings: LatentSettings,
    *,
    embed: EmbedTexts,
    log: MetricsSink,
    show: ReportProgress,
    work: Path | None = None,
) -> tuple[Checkpoint, LatentMap, Neutrality]:
    """Trains a latent up-mapping around a clone's prefix; gives a checkpoint with its neutral
    action as a constant, and what both are worth on the test families.

    The training's state is kept in the folder `work`, from which the same call goes on. Raises
    InputError as `learn_latent`, and where the checkpoint to begin with has no planner: an
    up-mapping alone has no prefix that changes nothing.
    """
    if clone.actor is None and clone.constant is None:
        raise InputError(
            f"checkpoint {clone.id[:11]}… has no planner; a latent up-mapping is made around a"
            " clone's prefix (train clone)"
        )
    encoded_replies = cloning.encoded_replies
    with torch.no_grad():
        actions = clone.action(
            torch.stack([encoded_reply.state for encoded_reply in encoded_replies["train"]])
        )
    latent = learn_latent(
        cloning.frozen_lm,
        encoded_replies["train"],
        encoded_replies["dev"],
        encoded_replies["test"],
        clone.upmap,
        project(actions.mean(0), clone.projection),
        settings,
        embed=embed,
        recorder=_recorder(cloning, clone, settings, log, show, work),
    )
    neutral = latent.neutral
    found = measure(
        cloning.frozen_lm,
        encoded_replies["test"],
        lambda state: neutral.expand(len(state), -1),
        latent.upmap,
        on_progress=lambda done, total: show(done, total, "measuring"),
    )
    info = clone.info.derived(
        **_made_here(cloning, clone),
        actor=None,
        constant=True,
        d_action=latent.upmap.d_action,
        upmap="latent",
        ways=len(latent.ways),
        metrics=found.plain() | {"log_ratio": latent.log_ratio.mean},
    )
    normalizer = normalizer_from_states(
        [encoded_reply.state for encoded_reply in encoded_replies["train"]]
    )
    made = Checkpoint(
        info=info,
        upmap=latent.upmap,
        mean=normalizer.mean,
        std=normalizer.std,
        constant=neutral,
        ways=latent.ways,
    )
    return made, latent, found


def _recorder(
    cloning: CloningData,
    base: Checkpoint,
    settings: CloneSettings | LatentSettings,
    log: MetricsSink,
    show: ReportProgress,
    work: Path | None,
) -> TrainingRecorder:
    identity = {"base": base.id, "data": cloning.data["sha256"], **settings.plain()}
    file = TrainingFile(path=work / PROGRESS, identity=identity) if work else None
    return TrainingRecorder(file=file, sink=log, on_progress=show, note="learning")


def _after(before: int, total: int, show: ReportProgress) -> Callable[[int, int], None]:
    return lambda done, _: show(before + done, total, "reading")


def _made_here(cloning: CloningData, base: Checkpoint) -> dict[str, object]:
    encoder = base.info.encoder
    if encoder.kind == "lm":
        encoder = EncoderInfo(kind="lm", id=lm_encoder_id(base.info.lm_id, cloning.prompt_version))
    return {
        "dtype": cloning.dtype,
        "encoder": encoder,
        "data": cloning.data,
        "parent": base.id,
        "prompt_version": cloning.prompt_version,
    }


def _with_states(encoded_replies: Sequence[EncodedReply], base: Checkpoint) -> list[EncodedReply]:
    """Gives the encoded replies states of the checkpoint's encoder; the model's own are there
    already.
    """
    if base.info.encoder.kind == "lm":
        return list(encoded_replies)
    encoder = load_text_encoder(base.info.encoder.model)
    return [
        replace(
            encoded_reply,
            state=torch.from_numpy(encoder.state(encoded_reply.sample.observation, None)),
        )
        for encoded_reply in encoded_replies
    ]


def _check(samples: Sequence[StoredReply], base: Checkpoint, query: ReplyQuery) -> None:
    asked = " ".join(
        f"--{name} {value}" for name in ("run", "agent") if (value := getattr(query, name))
    )
    if not samples:
        raise InputError(
            f"no unsteered replies of {base.info.lm_spec} ({base.info.lm_id[:12]}…) are"
            f" stored{asked and f' for {asked}'}; play some with `simworld run` and an agent of"
            " that model without steering"
        )
    versions = sorted({sample.template_version for sample in samples})
    if len(versions) > 1:
        raise InputError(
            f"these replies were made with {counted(len(versions), 'prompt')}"
            f" ({', '.join(versions)}); choose with --agent"
        )
