"""Sentence embeddings, offline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simworld.analysis.quality import Embed

ENCODER = "all-minilm-l6-v2"


def sentence_embedder() -> Embed:
    """The packaged sentence encoder: n texts → (n, 384) float64 of length 1. Raises ModelError where it is not installed."""
    from sentence_transformers import SentenceTransformer

    from agents.models.weights import BUILTIN, quiet_loading, verified_file

    folder = verified_file(BUILTIN[ENCODER]).parent
    with quiet_loading():
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def embed(texts: Sequence[str]) -> NDArray[np.float64]:
        vectors = model.encode(list(texts), show_progress_bar=False, normalize_embeddings=True)
        return np.asarray(vectors, dtype=np.float64)

    return embed
