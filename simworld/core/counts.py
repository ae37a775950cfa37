"""Numbers of things as people read them."""

from __future__ import annotations


def counted(n: int, word: str, plural: str = "") -> str:
    """`1 episode`, `0 episodes`, `1,200 episodes`; `plural` where it is not the word with an s."""
    return f"{n:,} {word if n == 1 else plural or word + 's'}"
