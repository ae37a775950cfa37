"""The commented scenario and persona that `simworld scenario new` and `simworld persona new`
write.
"""

from __future__ import annotations

from scenarios.scenario_file import SLUG
from simworld.core.errors import InputError
from simworld.language import language_codes
from simworld.yamlfile import quote_scalar

SCENARIO_TEMPLATE = """\
# A simworld scenario. Check it with:      simworld scenario check {file}
# See what each seat will see with:        simworld scenario show {file}
# For completion in an editor, run         simworld scenario schema > scenario.schema.json
# beside this file and begin the file with this line (without the first '# '):
# # yaml-language-server: $schema=scenario.schema.json

name: {name}                # small letters, digits and dashes; unique within a run
title: {title}
kind: bargaining            # a word of your own: bargaining, persuasion, consoling, …
tags: [example]

setting: >                  # what everybody at the table sees and knows
  A flea market on a Sunday morning, shortly before it closes. A seller is packing up; a visitor has come back to the
  stall for the third time to look at an old radio.

# What the seats are to each other decides how much each knows of the other's persona:
#   stranger               nothing
#   know_by_name           the name
#   acquaintance           also age, gender, pronouns, occupation and public facts
#   friend, romantic_relationship, family_member    also personality and values
relationship: stranger
# With three or more seats, pair by pair:
# relationships:
#   - {{between: [seller, visitor], is: acquaintance}}

seats:                      # two or more, in the order in which they speak
  - name: seller            # the role, known to all
    persona:                # in place, as here, or the name of a file in personas/ without '.yaml'
      name: Marta Kowal
      age: 58
      gender: woman
      pronouns: she/her
      occupation: retired radio engineer
      public: She has had a stall on this market for ten years.
      personality: Patient and proud of her work.
      values: Things should be repaired and not thrown away.
    # Private: no other seat ever sees a goal, what a seat knows, or its secret.
    goal: Sell the radio for at least 40 euros.
    knows: You paid 15 euros for it and spent two evenings on the repair.
    secret: The dial light still fails now and then.
  - name: visitor
    persona:
      name: Idris Bello
      age: 31
      gender: man
      pronouns: he/him
      occupation: primary school teacher
    goal: Get the radio for at most 60 euros.
    knows: You have 70 euros with you.

order: round-robin          # or random, or simultaneous
limits: {{turns: 12, silence: 2}}   # at most 12 turns; ends after 2 turns in a row in which nobody did anything

# Questions to the dialogue that need no judge. A `number` check reads the first group of its pattern.
checks:
  - {{name: price, kind: number, pattern: '(\\d+) euros', last: true, between: [40, 60]}}
  - {{name: mentions-light, kind: keyword, words: [light, lamp], by: seller}}
  # ends: true ends the episode once a check holds; absent: true turns a regex or keyword check round.

judge_note: Any price from 40 to 60 euros meets both goals.     # background that only the judge reads
rubric: sotopia
# language: de              # of the words around yours in prompts and transcripts: {languages}; default: en

# Variants: write {{{{price}}}} in a text, give it a default, and list values to make one scenario of each.
# parameters: {{price: 40}}
# matrix: {{price: [30, 40, 50]}}      # {name}.price-30, {name}.price-40, {name}.price-50
"""

PERSONA_TEMPLATE = """\
# A simworld persona: who sits in a seat. Check it with:      simworld check {file}
# A scenario names it, with `persona: {name}` in a seat, where this file lies beside the scenario or in a folder personas/.
# For completion in an editor, run         simworld persona schema > persona.schema.json
# beside this file and begin the file with this line (without the first '# '):
# # yaml-language-server: $schema=persona.schema.json

name: {title}               # as others say it; known to all but strangers
# Known to acquaintances and closer:
age: 58
gender: woman
pronouns: she/her
occupation: retired radio engineer
public: She has had a stall on the flea market for ten years.
# Known to friends, family and partners alone:
personality: Patient and proud of her work.
values: Things should be repaired and not thrown away.
# What only one scenario needs stands there: a seat's goal, what it knows, and its secret.
"""


def scenario_template(name: str, file: str) -> str:
    """The template's text for a scenario of that name in that file. Raises InputError for a name
    that is none.
    """
    if not SLUG.fullmatch(name):
        raise InputError(
            f"'{name}' cannot be a scenario's name; use small letters a-z, digits and dashes, like"
            " 'last-ticket'"
        )
    title = name.replace("-", " ").capitalize()
    # A title like 12 or Null would not be text to the loader.
    languages = ", ".join(language_codes())
    return SCENARIO_TEMPLATE.format(
        name=quote_scalar(name), file=file, title=quote_scalar(title), languages=languages
    )


def persona_template(name: str, file: str) -> str:
    """The template's text for a persona of that name in that file. Raises InputError for a name
    that is none.
    """
    if not SLUG.fullmatch(name):
        raise InputError(
            f"'{name}' cannot be a persona's name; use small letters a-z, digits and dashes, like"
            " 'nadia-brandt'"
        )
    return PERSONA_TEMPLATE.format(
        name=name, file=file, title=quote_scalar(name.replace("-", " ").title())
    )
