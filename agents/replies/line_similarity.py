"""How much of a line was said before."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from agents.replies.name_forms import SCRIPT_WITHOUT_SPACES

_WORD = re.compile(rf"[{SCRIPT_WITHOUT_SPACES}]|[^\W{SCRIPT_WITHOUT_SPACES}]+")


def line_similarity(text: str, earlier_lines: Sequence[str]) -> float:
    """How much of a line was said before, in [0, 1].

    The share of its word pairs that stand in one earlier line (the worst one) or, as in "no, no,
    no", earlier in the line itself. A line of one word was said before if an earlier line is that
    word. In scripts without spaces every letter is a word.
    """
    pairs = _word_pairs(text)
    if not pairs:
        return 0.0
    new = set(pairs)
    lines: list[set[tuple[str, str]]] = [set(), *(set(_word_pairs(line)) for line in earlier_lines)]
    return 1 - min(len(new - line) for line in lines) / len(pairs)


def _word_pairs(text: str) -> list[tuple[str, str]]:
    words = _WORD.findall(text.casefold())
    return list(itertools.pairwise(words)) or [(word, "") for word in words]
