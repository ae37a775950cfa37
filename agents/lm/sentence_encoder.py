"""Sentence embeddings, offline: texts in, vectors out whose cosines say how near they are in
meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agents.lm.local.model_files import content_files, folder_hash
from agents.lm.local.weights import BUILTIN_MODELS, quiet_loading, verified_file
from simworld.core.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUILTIN_SENTENCE_ENCODER = "builtin:all-minilm-l6-v2"


@dataclass(frozen=True, slots=True)
class SentenceEncoder:
    """A loaded sentence encoder."""

    id: str  # SHA-256 of the weights
    model: SentenceTransformer

    @property
    def limit(self) -> int:
        """Tokens of a text that are read; what comes after them is not."""
        return self.model.max_seq_length or 256

    def tokens(self, text: str) -> int:
        """How long a text is, the encoder's own marks included."""
        return len(self.model.tokenizer(text, truncation=False, verbose=False).input_ids)

    def encode(self, texts: Sequence[str], *, normalise: bool = True) -> NDArray[np.float32]:
        """An embedding of each text, (n, d) float32; of length 1 with `normalise`, else as the
        model gives it.
        """
        embeddings = self.model.encode(
            list(texts),
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=normalise,
        )
        return np.asarray(embeddings, dtype=np.float32)


def load_sentence_encoder(spec: str = BUILTIN_SENTENCE_ENCODER) -> SentenceEncoder:
    """The encoder that a spec names (`builtin:all-minilm-l6-v2`, or `hf:` and a folder), on the
    CPU. Raises ModelError.
    """
    folder, model_id = _find_weights(spec)
    from sentence_transformers import SentenceTransformer

    try:
        with quiet_loading():
            model = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # whatever a broken folder makes the library raise
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{folder}: no sentence encoder: {reason[0] if reason else type(error).__name__}"
        ) from error
    return SentenceEncoder(model_id, model)


def _find_weights(spec: str) -> tuple[Path, str]:
    kind, _, name = spec.partition(":")
    if (
        kind == "builtin"
        and name in BUILTIN_MODELS
        and BUILTIN_MODELS[name].kind == "sentence encoder"
    ):
        return verified_file(BUILTIN_MODELS[name]).parent, BUILTIN_MODELS[name].sha256
    folder = Path(name).expanduser()
    if kind == "hf" and (folder / "modules.json").is_file():
        return folder, folder_hash(
            content_files(folder, ("*.json", "*.safetensors", "*.txt"), recursive=True)
        )
    raise ModelError(
        f"sentence encoder {spec!r}: expected builtin:all-minilm-l6-v2, or hf: and a folder of"
        " sentence-transformers"
    )
