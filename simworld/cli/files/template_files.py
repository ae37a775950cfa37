"""`… new NAME…`: commented files to start from, one for each name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from simworld.cli.output.text import say
from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.yamlfile import write_new_files

names_argument = click.argument("names", metavar="NAME...", nargs=-1, required=True)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of one; default: NAME.yaml.",
)


def write_templates(
    names: Sequence[str], out: Path | None, make_text: Callable[[str, str, int], str]
) -> list[Path]:
    """Writes a file for each name and says so; `make_text` gives the text of a name, a file and a
    place among the names.

    Raises:
        InputError: a name that is none, a file that is there already; then nothing was written.
    """
    if out is not None and len(names) > 1:
        raise InputError(f"--out names one file, but {len(names)} names are given; leave it out")
    text_by_path: dict[Path, str] = {}
    problems: list[Problem] = []
    for i, name in enumerate(dict.fromkeys(names)):
        path = out or Path(f"{name}.yaml")
        with collecting_problems(problems):
            text_by_path[path] = make_text(name, " ".join(str(path).split()), i)
    if problems:
        raise InputError(problems)
    write_new_files(text_by_path)
    files = list(text_by_path)
    pronoun = "it" if len(files) == 1 else "them"
    say(f"Wrote {', '.join(map(str, files))}: edit {pronoun}; `simworld check` says what is wrong.")
    return files
