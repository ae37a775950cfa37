"""What a nat buys: how far different up-mappings can move rewards that need no judge, for the KL they cost, on families never seen.

    python -m bench.upmaps --db plain.db --run plain --clone clone --slopes slopes.npz

Takes the slope of each stored unsteered reply at the clone's prefix (about a second each on one core; kept in `--slopes`), and
holds a quarter of the families out in turn. On the rest each up-mapping's best direction is found for each reward; on those held
out its effect is measured to first order, E[r · s·v] / sd(r) · √(1 / KL(v)): deviations of the reward for one nat per reply.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import regex
import torch
from numpy.typing import NDArray

from agents.models.load import local_weights
from agents.models.local_model import load_local
from agents.models.sentences import load_sentences
from agents.steering.checkpoint import Checkpoint, load_checkpoint
from agents.steering.planner import project
from simworld.training.latent import MEANINGS, LatentSettings, _centred, _directions
from simworld.training.replies import stored_replies
from simworld.training.slopes import Prefixes, slope
from simworld.training.teacher import open_teacher
from store import open_store

Floats = NDArray[np.float64]
PATTERNS = {
    "question": r"\?",
    "number": r"\d",
    "polite": r"(?i)\b(thanks?|please|sorry|appreciate|glad|of course|happy to|welcome)\b",
    "we": r"(?i)\b(we|us|our|together)\b",
    "refusing": r"(?i)\b(but|no|not|never|cannot|can.t|don.t|won.t)\b",
    "agreeing": r"(?i)\b(yes|sure|okay|ok|agree|of course|fine|right)\b",
    "begins with I": r"^\W*I\b",
}
TEXTS = {
    "like thanks": "Thank you so much, I really appreciate your help.",
    "like sorry": "I am sorry, I did not mean to hurt you.",
    "like agreeing": "Yes, I agree, let us do it together.",
    "like refusing": "No! I will not do that, leave me alone.",
}
FOLDS = 4


def read_slopes(given: argparse.Namespace, clone: Checkpoint) -> dict[str, Any]:
    if given.slopes.is_file():
        with np.load(given.slopes) as file:
            return dict(file)
    local = load_local(local_weights(clone.info.lm_spec), dtype="float32", device="auto", threads=given.threads or None)
    rows: list[tuple[str, str, Floats]] = []
    with open_store(given.db) as store, open_teacher(local, clone.info.position) as teacher:
        samples = list(stored_replies(store, model_id=clone.info.lm_id, run=given.run))[: given.replies]
        centre: torch.Tensor | None = None
        for sample in samples:
            for lesson in teacher.lessons([sample]):
                if centre is None:  # the clone takes nearly the same action everywhere
                    with torch.no_grad():
                        centre = clone.upmap(project(clone.action(lesson.state[None]), "sphere"))[0]
                found = slope(teacher, lesson, viewed(centre.shape), centre.flatten())
                rows.append((sample.family, sample.reply, found.double().numpy()))
    made = {
        "family": np.array([row[0] for row in rows]),
        "reply": np.array([row[1] for row in rows]),
        "slope": np.stack([row[2] for row in rows]),
    }
    np.savez(given.slopes, family=made["family"], reply=made["reply"], slope=made["slope"])
    return made


def viewed(shape: torch.Size) -> Prefixes:
    return lambda flat: flat.view(-1, *shape)


def rewards(replies: list[str], embed: Callable[[list[str]], Floats]) -> dict[str, Floats]:
    found = {
        name: np.array([float(bool(regex.search(pattern, text))) for text in replies])
        for name, pattern in PATTERNS.items()
    }
    vectors = embed(replies)
    return found | {name: vectors @ embed([text])[0] for name, text in TEXTS.items()}


def bought(rows: Floats, train: Floats, test: Floats, r_train: Floats, r_test: Floats) -> float:
    """Of the best direction in the span of `rows` (D, K), found on one half and measured on the other."""
    direction = ((train @ rows) * r_train[:, None]).mean(0)
    moved = test @ rows @ direction
    nats = np.square(moved).mean() / 2
    return float((r_test * moved).mean() / r_test.std() / nats**0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True)
    parser.add_argument("--run", required=True, help="of unsteered episodes")
    parser.add_argument("--clone", type=Path, required=True)
    parser.add_argument("--slopes", type=Path, required=True, help="kept here, and read from here where it is there")
    parser.add_argument("--replies", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    clone = load_checkpoint(given.clone)
    data = read_slopes(given, clone)
    s, families, replies = data["slope"].astype(np.float64), data["family"], [str(text) for text in data["reply"]]
    encoder = load_sentences()

    def embed(texts: list[str]) -> Floats:
        return encoder.encode(texts).astype(np.float64)

    r, m = rewards(replies, embed), _centred(embed(replies), list(families))
    order = np.random.default_rng(1).permutation(np.unique(families))
    table: dict[str, dict[str, list[float]]] = {}
    for fold in range(FOLDS):
        held = np.isin(families, order[fold::FOLDS])
        kept = ~held
        axes = np.linalg.svd(m[kept], full_matrices=False)[2][:MEANINGS]
        meaning = m[kept] @ axes.T
        maps = {
            "latent": _directions(s[kept], meaning / meaning.std(0) ** 0.5, LatentSettings(size=given.size))[0],
            "loudest (leading slopes)": np.linalg.svd(s[kept], full_matrices=False)[2][: given.size].T,
            "the clone's": clone.upmap.weight.detach().double().numpy().T,
            "random": np.random.default_rng(fold).standard_normal((s.shape[1], given.size)),
        }
        for name, rows in maps.items():
            for reward, values in r.items():
                found = bought(
                    rows,
                    s[kept],
                    s[held],
                    _centred(values[kept, None], list(families[kept]))[:, 0],
                    _centred(values[held, None], list(families[held]))[:, 0],
                )
                table.setdefault(name, {}).setdefault(reward, []).append(found)
    for name, by_reward in table.items():
        means = {reward: round(float(np.mean(values)), 3) for reward, values in by_reward.items()}
        every = [float(np.mean(values)) for values in by_reward.values()]
        print(
            json.dumps(
                {
                    "upmap": name,
                    "replies": len(s),
                    "families": len(order),
                    "mean": round(float(np.mean(every)), 3),
                    "lowest": round(min(every), 3),
                    "highest": round(max(every), 3),
                    "by_reward": means,
                }
            )
        )


if __name__ == "__main__":
    main()
