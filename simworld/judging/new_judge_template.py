"""The commented judge and rubric that `simworld judge new` and `simworld rubric new` write."""

from __future__ import annotations

import re

from simworld.core.errors import InputError
from simworld.yamlfile import quote_scalar

JUDGE_TEMPLATE = """\
# A simworld judge: who scores stored episodes. Check it with:    simworld check {file}
# How far to trust it:                                            simworld judge check --judge {file}
# For completion in an editor, run                                simworld judge schema > judge.schema.json
# beside this file and begin the file with this line (without the first '# '):
# # yaml-language-server: $schema=judge.schema.json

name: {name}
title: The built-in model by opposed statements

# builtin:smollm2-135m-instruct, hf:FOLDER or hf:HUB-ID; with method: server also openai:MODEL@http://HOST:PORT/v1
model: builtin:smollm2-135m-instruct
method: statements          # statements or answers for local models, server for servers
{rubric}
"""

RUBRIC_TEMPLATE = """\
# A simworld rubric: what a judge scores. Check it with:    simworld check {file}
# A scenario or a judge names it:                           rubric: {file}

name: {name}
dimensions:
  - name: goal              # small letters, digits and _
    range: [0, 10]          # the worst and the best score
    # {{name}}, {{goal}}, {{knows}} and {{secret}} stand for what the judged seat has.
    question: How far did {{name}} reach this goal? {{goal}}
    weight: 1
    statements:             # for judges that read log-odds; several wordings are steadier than one
      - {{high: "Outcome: {{name}} got what {{name}} wanted.", low: "Outcome: {{name}} did not get what {{name}} wanted."}}
      - {{high: "Outcome: {{name}} was successful.", low: "Outcome: {{name}} failed."}}
  - name: composure
    range: [0, 10]
    question: How calm and polite did {{name}} stay?
    statements:
      - {{high: "{{name}} stayed calm and polite.", low: "{{name}} was rude."}}
      - {{high: "{{name}} kept a cool head.", low: "{{name}} lost their temper."}}
"""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def new_judge_text(name: str, file: str, *, rubric: str = "") -> str:
    """A judge file's text; `rubric`: the file it names. Raises InputError for a bad name."""
    _check_name(name, "judge", "strict")
    line = (
        f"rubric: {quote_scalar(rubric)}"
        if rubric
        else (
            "# rubric: calm.yaml       # goes before those that scenarios name; default: the one"
            " that each scenario names"
        )
    )
    return JUDGE_TEMPLATE.format(name=quote_scalar(name), file=file, rubric=line)


def new_rubric_text(name: str, file: str) -> str:
    """A rubric file's text. Raises InputError for a bad name."""
    _check_name(name, "rubric", "calm")
    return RUBRIC_TEMPLATE.format(name=quote_scalar(name), file=file)


def _check_name(name: str, noun: str, example: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{name}' cannot be a {noun}'s name; use small letters, digits, dots, dashes and _,"
            f" like '{example}'"
        )
