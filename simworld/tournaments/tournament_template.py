"""The commented tournament that `simworld tournament new` writes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from simworld.core.errors import InputError
from simworld.yamlfile import quote_scalar

TEMPLATE = """\
# A simworld tournament: who is better, and how sure that is. Check it with:    simworld check {file}
# What it will cost:                                                            simworld tournament run {file} --dry-run
# For completion in an editor, run                                              simworld tournament schema > tournament.schema.json
# beside this file and begin the file with this line (without the first '# '):
# # yaml-language-server: $schema=tournament.schema.json

name: {name}               # of its run in the database
agents: {agents}           # names of the library, or files
scenarios: {scenarios}     # names, files, folders, globs, tag:NAME, kind:NAME
judges: {judges}

format: round_robin        # each agent beside each agent; or fixed_partner, focal, swiss
repeats: 1                 # episodes per scenario and cast; intervals come from families of scenarios, not from repeats
seed: 0
# budget: {{episodes: 100}}   # of one command
"""
LIBRARY_DEFAULTS = {
    "agents": ("smol-script", "smol-lively"),
    "scenarios": ("last-concert-ticket", "cake-by-friday"),
}

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def new_tournament_text(
    name: str, file: str, *, agents: Sequence[str], scenarios: Sequence[str], judges: Sequence[str]
) -> str:
    """The text of a tournament of these files, or else of the library's. Raises InputError for a
    name that is none.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{name}' cannot be a tournament's name; use small letters, digits, dots, dashes and"
            " _, like 'spring-cup'"
        )
    return TEMPLATE.format(
        name=quote_scalar(name),
        file=file,
        agents=_yaml_list(agents if len(agents) > 1 else [*agents, *LIBRARY_DEFAULTS["agents"]]),
        scenarios=_yaml_list(scenarios or LIBRARY_DEFAULTS["scenarios"]),
        judges=_yaml_list(judges or ["smol-statements"]),
    )


def _yaml_list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(quote_scalar, names))}]"
