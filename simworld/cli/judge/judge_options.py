"""What judging commands are given: a judge with its model, and a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simworld.cli import completion
from simworld.core.errors import InputError
from simworld.judging.judge_spec import DEFAULT_JUDGE
from simworld.yamlfile import did_you_mean

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from agents.lm.late_backend import LateBackend
    from agents.lm.server.options import ServerFields
    from simworld.judging.judge_spec import JudgeSpec

judge_option = click.option(
    "--judge",
    "judge_name",
    metavar="SPEC",
    default=DEFAULT_JUDGE,
    shell_complete=completion.judges,
    show_default=True,
    help="A shipped judge's name, or a file.",
)
run_option = click.option(
    "--run",
    "run_name",
    metavar="NAME",
    shell_complete=completion.runs,
    help="Only this run's episodes; default: every run's.",
)


def open_judge(
    spec: JudgeSpec, threads: int | None, server: ServerFields
) -> AbstractContextManager[LateBackend]:
    """The judge's model, loaded by its first request; `server` goes before what its file says of
    the server. Raises ModelError.
    """
    from simworld.runner.loaded_agents import open_late

    return open_late(spec.model, spec.dtype, fields=spec, server=server, threads=threads)


def known_run(name: str, known: list[str]) -> None:
    """Raises InputError for a run that is not among the known ones."""
    if name not in known:
        hint = did_you_mean(name, known) or f"; there are: {', '.join(known[:10]) or 'none'}"
        raise InputError(f"no run {name!r} in this database{hint}")
