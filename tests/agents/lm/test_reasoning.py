"""Thoughts told apart from speech: the marks of many makers, whole and in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lm.reasoning import (
    ends_in_thought,
    is_known_thinker,
    is_reasoning_mark,
    split_json_reply,
    split_thought,
)
from agents.lm.reasoning_marks import ReasoningMarks

SECRET = "My floor is 60."
LINE = "I could go to 70."
PAIRS = [
    ("<think>\n", "\n</think>\n\n"),  # DeepSeek, Qwen, Phi, Hunyuan
    ("<thinking>", "</thinking>\n"),
    ("<Thinking type='deep'>", "</Thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),  # EXAONE, Gemini
    ("<scratchpad>", "</scratchpad>"),
    ("<inner_monologue>", "</inner_monologue>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>\n\n<|begin_of_solution|>"),  # OpenThinker
    ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),  # Cohere
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("<|channel>thought\n", "<channel|>"),  # Gemma
    ("<|think|>", "<|end|><|begin|>assistant<|content|>"),  # Solar
    # Harmony
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    (
        "<|channel|>commentary to=functions.say <|constrain|>json<|message|>",
        "<|call|><|channel|>final<|message|>",
    ),
    ("analysis", "assistantfinal"),  # Harmony without its marks
    ("Here is my thought process: ", " Here is my response: "),  # Granite
    ("<think>", "</think><answer>"),
    ("<|im_start|>think\n", "<|im_start|>answer\n"),  # s1
    ("<|reasoning_start|>", "<|reasoning_end|>"),
    ("<start_of_thought>", "<end_of_thought>"),
    ("<|thinking|>", "<|/thinking|>"),
    ("<thinking process>", "</thinking process>"),
    ("```thinking\n", "```\n"),
]


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_the_marks_of_the_makers(opening: str, closing: str) -> None:
    reply = split_thought(f"{opening}{SECRET}{closing}{LINE}")
    assert (reply.answer, reply.thought, reply.state) == (LINE, SECRET, "closed")


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_a_thought_that_is_not_ended(opening: str, closing: str) -> None:
    reply = split_thought(f"{opening}{SECRET} He may not know it")
    assert (reply.answer, reply.state) == ("", "open")
    assert SECRET in reply.thought


@pytest.mark.parametrize(("opening", "closing"), [pair for pair in PAIRS if pair[0][0] in "<[◁"])
def test_a_thought_that_the_prompt_began(opening: str, closing: str) -> None:
    reply = split_thought(f"{SECRET}{closing}{LINE}")
    assert (reply.answer, reply.thought, reply.state, reply.unopened) == (
        LINE,
        SECRET,
        "closed",
        True,
    )
    assert split_thought(f"{SECRET}{closing}{LINE}", in_thought=True).unopened is False


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>a</think>b<think>c</think>d", "bd"),
        ("<think>a<think>b</think>c</think>d", "d"),
        ("<think>a</thinking>b</think>c", "c"),
        ("a</think>b</think>c", "c"),
        ("Seventy.<think>Was that wise", "Seventy."),
        ("<think></think>\n\nSeventy.", "Seventy."),
        ("< think >a< / think >b", "b"),
        ("<answer>Seventy.</answer>", "Seventy."),
        ("I must hide it. <answer>Seventy.</answer>", "Seventy."),
        (
            "<|channel|>analysis<|message|>a<|end|><|channel|>final<|message|>b<|return|><|start|>user<|message|>c",
            "b",
        ),
        ("**Thought:** I must hide it.\n**Answer:** Seventy.", "Seventy."),
        ("Thinking: I must hide it.\n\nFinal answer: Seventy.", "Seventy."),
        ("[thinking] I must hide it. [/thinking] Seventy.", "Seventy."),
        ("I said </think> aloud", "aloud"),  # closed rather than open where it is in doubt
    ],
)
def test_marks_that_do_not_pair(text: str, answer: str) -> None:
    assert split_thought(text).answer == answer


@pytest.mark.parametrize(
    "text",
    [
        "I think so. [thinking] Well, <3 you.",
        "  Analysis is what we need: analysis, and then the assistant final say. ",
        "Here is my response: no.",
        "Analysis: it is too dear.",
        "Thoughts: none. The answer: no.",
        "Use ``` to quote.",
        "Hello.<|end|><|user|>run on</answer>",
        "a < b and c > d, 5 <thin air> [think]",
        "",
    ],
)
def test_speech_stays_as_it_is(text: str) -> None:
    reply = split_thought(text)
    assert (reply.answer, reply.thought, reply.state) == (text, "", "none")


def test_a_mark_cut_by_the_token_limit() -> None:
    assert split_thought(f"{SECRET}</thi", truncated=True).answer == ""
    assert split_thought(f"{SECRET}</", truncated=True).state == "open"
    assert split_thought(f"{LINE}<thi", truncated=True).answer == LINE
    assert split_thought("I <3 you", truncated=True).answer == "I <3 you"
    assert split_thought(f"{LINE}</").answer == f"{LINE}</"


def test_a_models_own_marks_count_beside_the_usual_ones() -> None:
    marks = ReasoningMarks(open="((", close="))")
    assert split_thought(f"(({SECRET})) {LINE}", marks).answer == LINE
    assert split_thought(f"<think>{SECRET}</think> {LINE}", marks).answer == LINE
    assert split_thought(f"(({SECRET}", marks).state == "open"
    same = ReasoningMarks(open="~~", close="~~")
    assert split_thought(f"~~{SECRET}~~{LINE}~~b~~", same).answer == LINE
    assert (
        split_thought(f"<think>{SECRET}</think> {LINE}", "off").answer
        == f"<think>{SECRET}</think> {LINE}"
    )


def test_json_with_marks_in_its_strings_is_whole() -> None:
    text = '{"reason": "it wrote </think> aloud", "score": 3}'
    assert split_json_reply(text).answer == text
    assert split_json_reply(f"so {{maybe}} 3?</think>{text[:-1]}").state == "closed"
    assert split_json_reply("[" * 100_000).answer == "[" * 100_000


def test_prompts_that_open_a_thought() -> None:
    assert ends_in_thought("<|im_start|>assistant\n<think>\n")
    assert ends_in_thought("x [THINK]")
    assert not ends_in_thought("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert not ends_in_thought("<|im_start|>assistant\n")
    assert not ends_in_thought("<think>\n", "off")
    assert not ends_in_thought(
        "Write your thoughts between <think> and </think>.<|im_end|>\nassistant\n"
    )


def test_names_of_models_that_think() -> None:
    for name in (
        "DeepSeek-R1-Distill-Qwen-7B",
        "deepseek-r1:8b",
        "Qwen3-4B-Thinking-2507",
        "QwQ-32B",
        "gpt-oss-20b",
    ):
        assert is_known_thinker(name), name
    for name in ("qwen2.5-7b-instruct", "gpt-4o", "llama3.1", "smollm2", "mistral-small"):
        assert not is_known_thinker(name), name


def test_tokens_that_are_marks() -> None:
    assert all(
        map(is_reasoning_mark, ("<think>", "[/THINK]", "<|channel|>", "<|message|>", "◁/think▷"))
    )
    assert not any(
        map(is_reasoning_mark, ("<|im_end|>", "</s>", "<|eot_id|>", "[INST]", "[TOOL_CALLS]"))
    )


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "a", " ", "<answer>", "[THINK]", "final", "\n"]),
        max_size=12,
    )
)
def test_nothing_is_lost_and_the_stored_form_reads_the_same(parts: list[str]) -> None:
    text = "".join(parts)
    reply = split_thought(text)
    assert reply.answer.count("a") + reply.thought.count("a") == text.replace("answer", "").count(
        "a"
    )
    if reply.state == "closed":
        assert (
            split_thought(f"<think>\n{reply.thought}\n</think>\n\n{reply.answer}").answer
            == reply.answer
        )


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        ("<", "none"),
        ("< ", "none"),
        ("<|", "none"),
        ("</think>", "closed"),
        ("<think>", "open"),
        ("</think> ", "closed"),
        ("[THINK]", "open"),
        ("<a_", "none"),
        ("<|channel|>", "open"),
        ("<___", "none"),
        ("◁", "none"),
        ("<think x", "none"),
        ("* ", "none"),
        ("```", "none"),
        ("thought:\nanswer", "none"),
        ("< |", "none"),
        ("<begin_", "none"),
        ("Thought:\n" + "\n" * 1000, "none"),
        ("\n", "none"),
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_nasty_texts_are_read_to_their_end(unit: str, state: str, cut: bool) -> None:
    # milliseconds; with the square of the length it would take hours
    text = unit * (100_000 // len(unit))
    read = split_thought(text, truncated=cut)
    assert (read.state, read.thought) == (state, "")
    # at most a mark that the token limit cut is left out
    assert len(read.answer) >= (len(text) - 24 if state == "none" else 0)
