"""The last defence against thoughts in a reply: what a model thought is never speech, wherever the
reply came from.

Models' thoughts are split off where their replies come in, by the marks that the agent's file
names; here the usual marks count once more, so that a thought is not spoken even where a file says
that there are none.
"""

from __future__ import annotations

import re

from agents.lm.reasoning import split_thought

# a server's special tokens, and what runs on after them
_SPECIAL_TOKENS = re.compile(r"<[|｜].*|</?s>.*", re.DOTALL)
# Characters without a width, which hide labels and marks.
_INVISIBLE_CHARACTERS = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
# What colours a terminal, and other characters that are none; the edge has put U+FFFD where a
# control character stood.
_ANSI_CODES = re.compile("[\x1b\ufffd]\\[[0-9;?]{0,20}[A-Za-z]")
_CONTROL_CHARACTERS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|^[\\s\ufffd]+", re.MULTILINE
)


def remove_thoughts(text: str) -> str:
    """The reply without thoughts, a server's special tokens, and characters that cannot be seen."""
    answer = split_thought(text).answer
    for pattern in (_SPECIAL_TOKENS, _INVISIBLE_CHARACTERS, _ANSI_CODES, _CONTROL_CHARACTERS):
        answer = pattern.sub("", answer)
    return answer
