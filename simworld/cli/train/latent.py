"""`simworld train upmap --method latent`: an up-mapping learned from stored replies, so that directions mean ways of replying."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simworld.cli.progress import progress_bar
from simworld.cli.train.replies import descent, lines_of, recorded, reply_query, told
from simworld.training.cloning import latent_upmap, open_school
from simworld.training.latent import LatentSettings
from store import open_store

if TYPE_CHECKING:
    from agents.models.local_model import LocalModel
    from agents.steering.checkpoint import Checkpoint


def learn(
    db: str, local: LocalModel, base: Checkpoint, given: Mapping[str, Any], out: Path
) -> tuple[Checkpoint, list[str]]:
    """A latent up-mapping learned from `base` with a command's options, and what it is worth, for people."""
    settings = LatentSettings(beta=given["beta"], descent=descent(given))
    with (
        open_store(db) as store,
        progress_bar("learning") as show,
        open_school(store, local, base, reply_query(given), show) as school,
        recorded(store, "upmap", out, settings.plain(), school.data) as (log, done),
    ):

        def heard(step: int, metrics: Mapping[str, float]) -> None:
            log(step, metrics)
            show(step, settings.descent.steps, "learning")

        made, codes, found = latent_upmap(school, base, settings, log=heard, show=show)
        done(made)
    return made, [
        f"  gain by a reply's own code  {told(codes.gain)} nats per token",
        f"    by another reply's        {told(codes.other_gain)}",
        f"  KL behind its own code      {told(codes.kl)}",
        "  and with the neutral action:",
        *lines_of(found),
    ]
