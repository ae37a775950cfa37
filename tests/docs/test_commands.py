"""Every command that README and the documentation show is one: its name, and each of its
options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from simworld.cli import cli

HOME = Path(__file__).parents[2]
README = (HOME / "README.md").read_text("utf-8")
PAGES = (HOME / "README.md", *sorted((HOME / "docs").rglob("*.md")))
_FENCE = re.compile(r"^```(\w*)\n", re.MULTILINE)
_INLINE = re.compile(r"`(simworld [a-z][^`\n]*)`")


def blocks(text: str) -> list[str]:
    """What stands in the blocks of a page that are for a shell, or of no language."""
    parts = _FENCE.split(text)  # text, language, block, "", text, …
    return [
        block
        for language, block in zip(parts[1::4], parts[2::4], strict=True)
        if language in {"sh", "bash", ""}
    ]


def shown(text: str) -> Iterator[str]:
    """The lines that begin with `simworld`, in blocks and in sentences."""
    for block in blocks(text):
        lines = iter(block.replace("\\\n", " ").splitlines())
        for line in lines:
            if line.strip().startswith("simworld "):
                whole = line.strip()
                while whole.count('"') % 2:  # SQL over several lines
                    whole += f" {next(lines)}"
                yield whole
    yield from _INLINE.findall(text)


def problems(line: str) -> list[str]:
    words = shlex.split(line.replace("…", " "), comments=True)[1:]
    words = list(takewhile(lambda word: word not in {"|", ">", ">>", "2>", "&&", "&", ";"}, words))
    if alternatives := next(
        (word for word in words if re.fullmatch(r"[a-z]+(?:\|[a-z]+)+", word)), ""
    ):
        return [
            found
            for one in alternatives.split("|")
            for found in problems(line.replace(alternatives, one))
        ]
    command: click.Command = cli
    while isinstance(command, click.Group) and words and re.fullmatch("[a-z][a-z0-9-]*", words[0]):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return [f"no command {words[0]!r}"]
        command, words = found, words[1:]
    known = {
        name for option in command.params for name in (*option.opts, *option.secondary_opts)
    } | {"--help", "-h"}
    known |= {"--version"} if command is cli else set()
    return [
        f"no option {word!r}"
        for word in words
        if re.match("--[a-z]", word) and word.split("=")[0] not in known
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_that_are_shown_exist(page: Path) -> None:
    lines = list(shown(page.read_text("utf-8")))
    assert [(line, found) for line in lines if (found := problems(line))] == []


def test_a_wrong_command_or_option_would_be_found() -> None:
    assert problems("simworld train clonee --base x") == ["no command 'clonee'"]
    assert problems("simworld run x --repeat 3 --db a.db  # --this is no option") == [
        "no option '--repeat'"
    ]
    assert list(
        shown(
            "```bash\nls\nsimworld run \\\n x\n```\nSee `simworld --help` and `simworld db info`."
        )
    ) == [
        "simworld run   x",
        "simworld db info",
    ]


def test_readme_says_how_long_what_takes_long_takes_and_comes_to_a_comparison() -> None:
    steered = README[README.index("A planner of your own") :]
    assert "minutes" in steered.split("\n")[0]
    for command in ("simworld run last-concert-ticket", "simworld judge run"):
        (line,) = re.findall(rf"^{command}.*$", README, re.MULTILINE)
        assert "minute" in line.partition(" # ")[2], line
    walk = (
        (HOME / "docs" / "how-to" / "train-a-planner.md")
        .read_text("utf-8")
        .partition("By hand\n")[2]
    )
    block = "".join(blocks(walk.partition("\n## ")[0]))
    assert re.search(r"^simworld train clone .*# .*(minute|second)", block, re.MULTILINE)
    assert block.index("simworld train clone") < block.index("simworld evaluate")


def test_dry_runs_completion_and_checking_a_folder_are_documented() -> None:
    page = (HOME / "docs" / "reference" / "commands.md").read_text("utf-8")
    assert "_SIMWORLD_COMPLETE=bash_source simworld" in page
    assert "--dry-run" in page
    assert "`simworld check [PATH…]`" in page
