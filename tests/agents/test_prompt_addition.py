"""An instruction that is added to a prompt: the last one, in every language and style."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from agents.prompt_template import PromptTemplate
from agents.prompting import PROMPTS_FOLDER, build_prompt, prompt_version
from simworld.language import language_codes
from simworld.yamlfile import load_yaml, parse
from tests.agents.test_prompt_languages import BUILT_IN, SCRIPT, contents, seen

MORE = "{{name}} says thank you."


@pytest.mark.parametrize("code", language_codes())
@pytest.mark.parametrize("template", BUILT_IN, ids=["chat", "script", "chat-2", "script-2"])
def test_it_follows_the_last_instruction_and_nothing_else_changes(
    template: PromptTemplate, code: str
) -> None:
    observation = seen(code)
    added = template.model_copy(update={"addition": MORE})
    with_it, without = contents(added, observation), contents(template, observation)
    place = 0 if template.style == "chat" else 1
    assert with_it[place] == f"{without[place]} {observation.label} says thank you."
    del with_it[place], without[place]
    assert with_it == without
    prompts = [build_prompt(one, observation).reply_start for one in (added, template)]
    assert prompts[0] == prompts[1]
    assert prompt_version(added, observation) != prompt_version(template, observation)


def test_versions_without_one_are_what_they_were() -> None:
    assert SCRIPT.version == PromptTemplate.model_validate(SCRIPT.model_dump()).version
    assert SCRIPT.version == "dc45ba13afb9"
    assert "addition" not in SCRIPT.model_dump(mode="json")
    added = SCRIPT.model_copy(update={"addition": MORE})
    assert PromptTemplate.model_validate(added.model_dump(mode="json")) == added
    assert SCRIPT.model_copy(update={"addition": "Be brief."}).version != added.version


def test_it_is_not_lost_with_a_line_that_is_left_out() -> None:
    own = PromptTemplate(style="script", instructions="Write.\n{{secret}}", addition=MORE)
    observation = seen("en")
    assert contents(own, observation)[0] == "Write.\nS1.\nNadia says thank you."
    assert contents(own, replace(observation, secret=""))[0] == "Write.\nNadia says thank you."


def test_a_prompt_of_ones_own_may_have_one_and_nothing_else() -> None:
    own = PromptTemplate(style="chat", addition=MORE)
    assert contents(own, seen("en"))[0] == "Nadia says thank you."
    with pytest.raises(ValidationError, match=r"unknown slot \{\{nam\}\}"):
        PromptTemplate(style="script", addition="{{nam}} says thank you.")
    for path in PROMPTS_FOLDER.glob("*.yaml"):
        assert not parse(load_yaml(path), PromptTemplate).addition
