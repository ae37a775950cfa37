"""What judging commands are given: a judge with its model, and a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simworld.core.errors import InputError
from simworld.judging.spec import DEFAULT_JUDGE
from simworld.yamlfile import did_you_mean

if TYPE_CHECKING:
    from agents.models.server_options import ServerFields
    from simworld.core.protocols import Backend
    from simworld.judging.spec import JudgeSpec

judge_option = click.option(
    "--judge",
    "judge_name",
    metavar="SPEC",
    default=DEFAULT_JUDGE,
    show_default=True,
    help="A shipped judge's name, or a file.",
)
run_option = click.option("--run", "run_name", metavar="NAME", help="Only this run's episodes; default: every run's.")


def open_backend(spec: JudgeSpec, threads: int | None, server: ServerFields) -> Backend:
    """The judge's model, loaded; `server` goes before what its file says of the server. Raises ModelError."""
    import agents.models

    options = spec.server_options(server)
    return agents.models.load_backend(
        spec.model, dtype=spec.dtype, threads=threads, server=options, reasoning=spec.reasoning
    )


def known_run(name: str, known: list[str]) -> None:
    """Raises InputError for a run that is not among the known ones."""
    if name not in known:
        hint = did_you_mean(name, known) or f"; there are: {', '.join(known[:10]) or 'none'}"
        raise InputError(f"no run {name!r} in this database{hint}")
