"""The words that judges are asked with. They are part of a judge's id: a changed word makes another
judge.
"""

from __future__ import annotations

import hashlib

SCORE_QUESTION = (
    "{body}\n\nQuestion: {question}\nAnswer with one digit from 0 (worst) to 9 (best).\nAnswer:"
)
TRUE_QUESTION = "{body}\n\nQuestion: Is this true? {statement}\nAnswer:"

SYSTEM_PROMPT = (
    "You judge conversations between people who pursue private goals. You read the whole"
    " conversation and judge each person by what they said and did, not by how much they said. You"
    " reply with JSON alone."
)
JUDGE_PROMPT = """{head}

The conversation:
{dialogue}
{end}
Judge these people, each under the very name given here: {names}.

{questions}

For each person{each} write first `reason`, two or three sentences that cite what was said, and then `score`, {number}.
Reply with one JSON object of this form:
{form}"""
REASK_PROMPT = (
    "That reply cannot be used: {error} Reply again with the whole JSON object and nothing else."
)
SILENCE_LINE = "(Nobody said or did anything.)"  # the English table's; it is in the ids of judges

PROMPTS_VERSION = hashlib.sha256(
    "\n".join(
        (SCORE_QUESTION, TRUE_QUESTION, SYSTEM_PROMPT, JUDGE_PROMPT, REASK_PROMPT, SILENCE_LINE)
    ).encode()
).hexdigest()[:16]
