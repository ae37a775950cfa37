"""The last defence against thoughts in a reply: what a model thought is never speech, wherever the reply came from.

Models' thoughts are split off where their replies come in, by the marks that the agent's file names; here the usual marks
count once more, so that a thought is not spoken even where a file says that there are none.
"""

from __future__ import annotations

import re

from agents.models.reasoning import split

_MACHINE = re.compile(r"<[|｜].*|</?s>.*", re.DOTALL)  # a server's special tokens, and what runs on after them
# Characters without a width, which hide labels and marks.
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def without_thoughts(text: str) -> str:
    """The reply without thoughts, a server's special tokens, and characters that cannot be seen."""
    return _INVISIBLE.sub("", _MACHINE.sub("", split(text).answer))
