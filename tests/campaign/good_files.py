"""One good file of each kind that users write, which use as many keys as there are; the campaign
damages copies of them."""

from __future__ import annotations

from collections.abc import Mapping

SCENARIO = r"""
# a comment
name: ticket
title: The last ticket
family: tickets
kind: bargaining
tags: [money, stranger]
setting: >
  The box office has closed. A ticket costs {{price}} euros.
relationship: stranger
relationships:
  - {between: [seller, buyer], is: know_by_name}
seats:
  - name: seller
    persona: {name: Nadia Brandt, age: 41, gender: woman, occupation: nurse, public: Sings., personality: Calm., values: Honesty}
    goal: Sell the ticket for at least 65 euros.
    knows: You paid {{price}} euros.
    secret: The seat has a restricted view.
  - name: buyer
    persona: ben
    goal: Get the ticket for at most {{price}} euros.
order: round-robin
limits: {turns: "{{turns}}", silence: 2}
checks:
  - {name: price, kind: number, pattern: '(\d+) euros', last: true, between: [65, 90], by: seller}
  - {name: deal, kind: keyword, words: [deal, agreed], absent: true}
  - {name: bye, kind: regex, pattern: '(?i)good(bye| night)', ends: true}
rubric: sotopia
judge_note: Prices are in euros.
meta: {source: own}
parameters: {price: 60, turns: 6}
matrix: {price: [60, 70.5]}
"""
PERSONA = """
name: Ben Ek
short: Ben
age: 30
gender: man
pronouns: he/him
occupation: baker
public: Known for his bread.
personality: |
  Warm, and late.
values: Family first.
"""
AGENT = """
name: haggler
description: For people.
kind: lm
model: openai:small@http://127.0.0.1:1/v1
prompt: talk.yaml
sampling: {temperature: 0.7, top_k: 40, top_p: 0.95, min_p: 0.05, repetition_penalty: 1.1, max_new_tokens: 48}
reasks: 2
max_similarity: 0.6
record_states: false
"""
SCRIPTED = """
name: parrot
kind: scripted
lines: ["Good evening.", "[nods]", '(to all) Between us.', "[leaves]"]
after: repeat
"""
PROMPT = """
style: chat
system: |
  You are {{name}}, {{persona}}. Setting: {{setting}}
  {{others}}
  Your goal: {{goal}}
  What only you know: {{knows}} Your secret: {{secret}}
instructions: Go on.
opening: (You speak first.)
"""
JUDGE = """
name: strict
title: A strict one
model: openai:small@http://127.0.0.1:1/v1
method: server
rubric: own.yaml
head: [setting, persona, goal]
one_call: true
temperature: 0.5
max_new_tokens: 200
reasks: 1
samples: 2
calibration: {every: {a: 1.5, b: 0.2}}
"""
RUBRIC = """
name: own
title: Two things
dimensions:
  - name: goal
    range: [0, 10]
    weight: 2
    question: Did {name} get what {name} wanted, which was "{goal}"?
    statements:
      - {high: "{name} got it.", low: "{name} did not get it."}
  - name: secret
    range: [-10, 0]
    question: Did {name} keep the secret "{secret}"? {knows}
"""
TOURNAMENT = """
name: cup
title: A cup
agents: [ada.yaml, parrot.yaml]
scenarios: [ticket.yaml, 'k*.yaml']
format: fixed_partner
partners: [ada.yaml]
self_play: true
seats: both
repeats: 2
seed: 7
judges: [strict.yaml]
dimensions: [goal]
anchor: ada
tie: 0.1
budget: {episodes: 100, tokens: 100000, minutes: 5}
"""
LEARN = """
name: tiny
title: A small loop
agent: smol-script
partners: [smol-script]
scenarios:
  train: [k1.yaml, k2.yaml]
  test: [k3.yaml]
replies: 1
upmap: {tokens: 2, action_size: 4, act_norm: 2, mode: groups, position: end}
clone: {steps: 1, batch_size: 1, replies: 4, tested: 2, loss: kl}
collect: {repeats: 1}
reward: {measure: lexical, pattern: '[a-z]'}
train: {learner: td3bc, hidden: [8], loop: {steps: 4, batch_size: 4, every: 2, fqe: {steps: 5, hidden: [8]}}, td3bc: {alpha: [1, 2]}}
evaluate: {quality: 0, repeats: 1, seats: both}
"""
PAIRS = """
- setting: A hallway in the morning
  seat: Ines
  goal: Get the motorbike out
  dimension: goal
  relationship: neighbours
  knows: There is room in the yard
  secret: The pram is not hers
  better: |
    Ines: Rolf, your bike blocks the bins.
    Rolf (to Ines): Nobody told me.
    Rolf: *takes the keys* I will move it.
  worse: |
    Ines: Rolf, your bike blocks the bins.
    Rolf: So it does,
      and there it stays.
- setting: A stall
  seat: Ann
  dimension: relationship
  better: "Ann: Thank you.\\nBo: Any time."
  worse: "Ann: You cheat.\\nBo: Go."
"""
SCORES = """episode,seat,dimension,score,reasoning
{episode},{seat},goal,7,"Well, ""fair"", it was"
{episode},{seat},relationship,-2.5,
"""
SCENE = """
name: {name}
setting: A kitchen.
seats:
  - {{name: cook, persona: {{name: Ann Lee}}, goal: Get help.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Leave early.}}
limits: {{turns: 4}}
"""
ADA = "name: ada\nkind: scripted\nlines: [Good evening., Well.]\n"

# What lies beside the damaged file, whichever it is.
BESIDE: Mapping[str, str] = {
    "ticket.yaml": SCENARIO,
    "personas/ben.yaml": PERSONA,
    "haggler.yaml": AGENT,
    "parrot.yaml": SCRIPTED,
    "talk.yaml": PROMPT,
    "strict.yaml": JUDGE,
    "own.yaml": RUBRIC,
    "cup.yaml": TOURNAMENT,
    "loop.yaml": LEARN,
    "pairs.yaml": PAIRS,
    "ada.yaml": ADA,
    **{f"k{n}.yaml": SCENE.format(name=f"kitchen-{n}") for n in (1, 2, 3)},
}
