"""What judging commands are given: a judge with its model, and a run."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scenarios.rubrics import load_rubric
from simworld.cli.completion import complete_judges, complete_runs
from simworld.cli.files.expected_kind import expecting_kind
from simworld.judging.judge_spec import DEFAULT_JUDGE, load_judge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from agents.lm.lazy_backend import LazyBackend
    from agents.lm.server.options import ServerFields
    from simworld.core.judgement import Rubric
    from simworld.judging.judge_spec import JudgeSpec

judge_option = click.option(
    "--judge",
    "judge_name",
    metavar="SPEC",
    default=DEFAULT_JUDGE,
    shell_complete=complete_judges,
    help="A shipped judge's name, or a file.",
)
run_option = click.option(
    "--run",
    "run_name",
    metavar="NAME",
    shell_complete=complete_runs,
    help="Only this run's episodes; default: every run's.",
)


class JudgeCommand(click.Command):
    """A command that names its judge with --judge, and says so where one stands without it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        extra_words = super().parse_args(ctx, args)
        ctx.allow_extra_args = False
        if extra_words and not ctx.resilient_parsing:
            ctx.fail(_misplaced_word_message(str(ctx.info_name), extra_words[0]))
        return extra_words


def _misplaced_word_message(command: str, word: str) -> str:
    """What was meant by a word that no option introduces."""
    from simworld.cli.files.file_kinds import file_kind  # knows every kind, and is slow to import

    is_file = os.path.isfile(word)
    kind = file_kind(Path(word)) if is_file else "judge"
    quoted = shlex.quote(word)
    hint = f"`simworld check {quoted}` checks the file" if is_file else ""
    if kind == "pairs" and command == "check":
        return (
            f"{word}: pairs are named with --pairs: `simworld judge check --judge SPEC --pairs"
            f" {quoted}`"
        )
    if kind not in ("judge", None):
        return f"{word} is not a judge: its keys are those of another kind of file ({kind}); {hint}"
    message = f"{word}: a judge is named with --judge: `simworld judge {command} --judge {quoted}`"
    return f"{message}; {hint}" if hint else message


def load_judge_option(name: str) -> tuple[JudgeSpec, str]:
    """As `load_judge`; a file that is no judge but of another kind is one line."""
    with expecting_kind("judge", name):
        return load_judge(name)


def load_rubric_option(name: str, *, beside: Path | None = None) -> Rubric:
    """As `load_rubric`; a file that is no rubric but of another kind is one line."""
    with expecting_kind(
        "rubric", beside / name if beside is not None and os.path.isfile(beside / name) else name
    ):
        return load_rubric(name, beside=beside)


def open_judge(
    spec: JudgeSpec, cpu_threads: int | None, server: ServerFields
) -> AbstractContextManager[LazyBackend]:
    """The judge's model, loaded by its first request; `server` goes before what its file says of
    the server. Raises ModelError.
    """
    from simworld.runner.agent_pool import open_lazy_backend

    return open_lazy_backend(
        spec.model, spec.dtype, fields=spec, server=server, cpu_threads=cpu_threads
    )


def own_rubric_notes(rubric: str, scenarios: Sequence[str]) -> list[str]:
    """A note that a judge's own rubric was used instead of the scenarios'; empty if not."""
    if not scenarios:
        return []
    more = f" and {len(scenarios) - 3} more" if len(scenarios) > 3 else ""
    named = f"scenario{'s' if len(scenarios) > 1 else ''} {', '.join(scenarios[:3])}{more}"
    return [
        f"scored by the judge's own rubric, {rubric}, and not by the one that {named}"
        f" name{'s' * (len(scenarios) == 1)}"
    ]
