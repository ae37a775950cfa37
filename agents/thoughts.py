"""The last defence against thoughts in a reply: what a model thought is never speech, however it is marked.

Models' thoughts are split off where their replies come in; what still reaches this place has marks that nobody
expected there.
"""

from __future__ import annotations

import re

_KINDS = (
    r"think|thinking|thoughts?|reason|reasoning|reflection|reflect|analysis|scratchpad|monologue|"
    r"inner[ _-]?(?:monologue|thoughts?|voice)|internal[ _-]?(?:monologue|thoughts?)|chain[ _-]?of[ _-]?thought|cot|"
    r"seed:think|planning"
)
_MARK = re.compile(
    rf"(?i)[<◁〈＜]\s{{0,3}}(?P<close>/?)\s{{0,3}}(?:{_KINDS})\b[^<>\n◁▷]{{0,60}}[>▷〉＞]?|"
    r"\[(?P<close2>/?)(?:THINK|THINKING|REASONING|THOUGHT)\]"
)
_MACHINE = re.compile(r"<[|｜].*|</?s>.*", re.DOTALL)  # a server's special tokens, and what runs on after them
# Characters without a width, which hide labels and marks.
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def without_thoughts(text: str) -> str:
    """The reply without thoughts, a server's special tokens, and characters that cannot be seen.

    Before a closing mark that nothing opened, and after an opening mark that nothing closes, all is thought.
    """
    kept: list[str] = []
    depth = at = 0
    for mark in _MARK.finditer(text):
        if depth == 0:
            kept.append(text[at : mark.start()])
        if mark.group("close") or mark.group("close2"):
            if depth == 0:
                kept.clear()
            depth = max(0, depth - 1)
        else:
            depth += 1
        at = mark.end()
    if depth == 0:
        kept.append(text[at:])
    return _INVISIBLE.sub("", _MACHINE.sub("", " ".join(kept)))
