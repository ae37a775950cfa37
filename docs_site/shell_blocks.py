"""What a page says to type, and what it says of it in an HTML comment before the block.

    <!-- not run: needs an API key -->     nothing is run, for this reason
    <!-- run: model -->                    it loads the built-in model (`slow`: it takes minutes)
    <!-- file: rent.yaml -->               no shell block: a file that later blocks find

A page's blocks run in order, in one folder that is empty at first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from docs_site.pages import CodeBlock, code_blocks

SHELLS = ("sh", "bash", "shell", "console")
Load = Literal["fast", "model", "slow"]
LOADS: tuple[Load, ...] = ("fast", "model", "slow")
_COMMAND = re.compile(r"^(?:\$ )?(simworld|pip|python3?|make|export|cd|git) ", re.MULTILINE)
_SAID = re.compile(r"(not run|run|file): *(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A block that is run, or a file that is written."""

    text: str
    line: int
    load: Load = "fast"
    file: str = ""  # written and not run, if it has a name
    why_not: str = ""  # the reason for which it is not run


def page_steps(text: str) -> list[Step]:
    """The steps of a page in order; raises ValueError for a comment that says nothing known."""
    return [step for block in code_blocks(text) if (step := _step(block)) is not None]


def steps_up_to(steps: list[Step], load: Load) -> list[Step]:
    """What a test of this load runs: what comes before the first block that asks for more."""
    allowed = LOADS[: LOADS.index(load) + 1]
    end = next((n for n, one in enumerate(steps) if one.load not in allowed), len(steps))
    return [one for one in steps[:end] if not one.why_not]


def is_shell(block: CodeBlock) -> bool:
    """Whether a block is there to be typed."""
    return block.language in SHELLS or (not block.language and bool(_COMMAND.search(block.text)))


def _step(block: CodeBlock) -> Step | None:
    said = {
        match[1]: " ".join(match[2].split())
        for comment in block.comments
        if (match := _SAID.fullmatch(comment))
    }
    if any(not value for value in said.values()) or said.get("run", "fast") not in LOADS:
        raise ValueError(f"line {block.line}: cannot read the comment before the block: {said}")
    if name := said.get("file"):
        return Step(text=block.text, line=block.line, file=name)
    if not is_shell(block):
        return None
    load = next(one for one in LOADS if one == said.get("run", "fast"))
    return Step(text=block.text, line=block.line, load=load, why_not=said.get("not run", ""))
