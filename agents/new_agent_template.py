"""The commented agent that `simworld agent new` writes."""

from __future__ import annotations

import re

from simworld.core.errors import InputError
from simworld.yamlfile import quote_scalar

TEMPLATE = """\
# A simworld agent: who speaks. Check it with:      simworld check {file}
# For completion in an editor, run                  simworld agent schema > agent.schema.json
# beside this file and begin the file with this line (without the first '# '):
# # yaml-language-server: $schema=agent.schema.json

name: {name}               # small letters, digits, dots, dashes and _; unique within a run
description: The built-in model. It shows the machinery; name a model of several billion parameters for behaviour.

# builtin:smollm2-135m-instruct, hf:FOLDER or hf:HUB-ID, or openai:MODEL@http://HOST:PORT/v1 for a server
model: builtin:smollm2-135m-instruct
prompt: script-2            # or chat-2, or a YAML file of your own beside this one

sampling:
  temperature: {temperature}
  top_k: 40
  max_new_tokens: 48

# Fixed lines instead of a model: remove model, prompt and sampling, and write
# kind: scripted
# lines: [Good morning., '[nods]', '[leaves]']
"""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def agent_template(name: str, file: str, *, number: int = 0) -> str:
    """The template's text for an agent; `number` counts those of one command, which differ in their
    temperature.

    Raises InputError for a name that is none.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{name}' cannot be an agent's name; use small letters, digits, dots, dashes and _,"
            " like 'haggler'"
        )
    return TEMPLATE.format(
        name=quote_scalar(name), file=file, temperature=round(0.7 + 0.2 * number % 1.3, 1)
    )
