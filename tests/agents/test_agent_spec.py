"""Agent files: what they may say, every message with its place, and where names are found."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent_id_of, agent_json_schema, find_specs, load_spec, make_agent, model_key
from agents.agent_spec import library_agent_names
from agents.human import HumanAgent
from agents.kind_specs import HumanSpec, LMSpec, ScriptedSpec
from agents.lm.reasoning_marks import ReasoningMarks
from agents.lm.server.options import ServerFields, ServerOptions
from agents.lm_agent import LMAgent
from agents.scripted import ScriptedAgent
from simworld.core.episode import ActionKind
from simworld.core.errors import InputError
from simworld.core.requests import ModelInfo, Sampling
from simworld.testing import example_observations

LM = "name: mine\nmodel: builtin:smollm2-135m-instruct\n"
INFO = ModelInfo(spec="builtin:smollm2-135m-instruct", id="hash-1", dtype="float32", context=2048)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes files into the working folder."""
    monkeypatch.chdir(tmp_path)

    def _write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return _write


def problems(names: list[str]) -> list[str]:
    with pytest.raises(InputError) as refused:
        find_specs(names)
    assert refused.value.exit_code == 2
    return [str(problem) for problem in refused.value.problems]


def test_the_shortest_agent_has_the_defaults(write: Callable[[str, str], Path]) -> None:
    loaded = load_spec(write("mine.yaml", LM))
    assert isinstance(loaded.spec, LMSpec)
    assert (loaded.spec.kind, loaded.spec.dtype, loaded.spec.prompt) == ("lm", "auto", "script")
    assert (loaded.spec.reasks, loaded.spec.max_similarity) == (2, 0.6)
    assert loaded.spec.sampling.to_sampling() == Sampling(
        temperature=0.8, top_k=40, max_new_tokens=48
    )
    assert loaded.template is not None
    assert loaded.template.style == "script"


def test_all_settings(write: Callable[[str, str], Path]) -> None:
    text = f"""{LM}kind: lm
description: For people.
dtype: bfloat16
prompt: chat
sampling: {{temperature: 0, top_k: 0, top_p: 0.9, min_p: 0.1, repetition_penalty: 1.2, max_new_tokens: 7}}
reasks: 0
max_similarity: 1
"""
    spec = load_spec(write("mine.yaml", text)).spec
    assert isinstance(spec, LMSpec)
    assert spec.sampling.to_sampling() == Sampling(
        temperature=0, top_k=0, top_p=0.9, min_p=0.1, repetition_penalty=1.2, max_new_tokens=7
    )
    assert (spec.dtype, spec.prompt, spec.reasks, spec.max_similarity) == (
        "bfloat16",
        "chat",
        0,
        1.0,
    )


def test_scripted_agents_and_people(write: Callable[[str, str], Path]) -> None:
    text = 'name: a\nkind: scripted\nlines: ["Hello.", "[leaves]"]\nafter: leave\n'
    scripted = load_spec(write("a.yaml", text))
    assert scripted.spec == ScriptedSpec(
        name="a", kind="scripted", lines=("Hello.", "[leaves]"), after="leave"
    )
    # the id from before there was an order: it is part of an id only where it is drawn
    assert agent_id_of(scripted) == "a1-9ebc0b351ac93a44da35c24ab695561a"
    drawn = load_spec(write("d.yaml", text + "order: drawn\n"))
    assert agent_id_of(drawn) != agent_id_of(scripted)
    assert load_spec(write("b.yaml", "name: b\nkind: human\n")).spec == HumanSpec(
        name="b", kind="human"
    )


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["bad.yaml:1:1: the file is empty"]),
        ("name: mine\n", ["bad.yaml:1:1: model: required field is missing"]),
        (LM + "promt: chat\n", ["bad.yaml:3:1: promt: unknown field; did you mean 'prompt'?"]),
        (LM + "sampling: {temprature: 1}\n", ["bad.yaml:3:12: sampling.temprature: unknown field; did you mean 'temperature'?"]),
        (LM + "sampling: {temperature: hot}\n", ["bad.yaml:3:25: sampling.temperature: expected a number, found the text 'hot'"]),
        (LM + "sampling: {temperature: -1}\n", ["bad.yaml:3:25: sampling.temperature: expected at least 0, found the number -1"]),
        (LM + "sampling: {top_p: 0}\n", ["bad.yaml:3:19: sampling.top_p: expected more than 0, found the number 0"]),
        (LM + "sampling: {min_p: 1}\n", ["bad.yaml:3:19: sampling.min_p: expected less than 1, found the number 1"]),
        (LM + "sampling: {top_k: 1.5}\n", ["bad.yaml:3:19: sampling.top_k: expected a whole number, found the number 1.5"]),
        (LM + "sampling: {max_new_tokens: 0}\n", [
            "bad.yaml:3:28: sampling.max_new_tokens: expected at least 1, found the number 0"
        ]),
        (LM + "sampling: 3\n", ["bad.yaml:3:11: sampling: expected a mapping, found the number 3"]),
        (
            LM + "dtype: flot32\n",
            ["bad.yaml:3:8: dtype: expected auto, float32 or bfloat16, found the text 'flot32'; did you mean 'float32'?"],
        ),
        (LM + "max_similarity: 0\n", ["bad.yaml:3:17: max_similarity: expected more than 0, found the number 0"]),
        (LM + "reasks: 11\n", ["bad.yaml:3:9: reasks: expected at most 10, found the number 11"]),
        (
            "name: mine\nmodel: smollm\n",
            ["bad.yaml:2:8: model: expected builtin:NAME, hf:FOLDER, hf:HUB-ID or openai:MODEL@URL, found the text 'smollm'"],
        ),
        (
            "name: Mine!\nmodel: builtin:x\n",
            ["bad.yaml:1:7: name: expected small letters, digits, dots, dashes and _, like 'haggler', found the text 'Mine!'"],
        ),
        ("name: 5\nmodel: builtin:x\n", ["bad.yaml:1:7: name: expected text, found the number 5; put it in quotes"]),
        ("name: a\nkind: scripted\n", ["bad.yaml:1:1: lines: required field is missing"]),
        ("name: a\nkind: scripted\nlines: []\n", ["bad.yaml:3:8: lines: expected at least 1 entry, found 0 entries"]),
        (
            "name: a\nkind: scripted\nlines: [x]\nafter: stop\n",
            ["bad.yaml:4:8: after: expected none, leave or repeat, found the text 'stop'"],
        ),
        (
            "name: a\nkind: humane\n",
            ["bad.yaml:2:7: kind: expected lm, scripted or human, found the text 'humane'; did you mean 'human'?"],
        ),
        ("name: a\nkind: [lm]\n", ["bad.yaml:2:7: kind: expected lm, scripted or human, found a list"]),
        ("name: a\nkind: human\nmodel: builtin:x\n", ["bad.yaml:3:1: model: unknown field"]),
        (
            "name: Ann\npromt: chat\n",
            [
                "bad.yaml:1:1: model: required field is missing",
                "bad.yaml:1:7: name: expected small letters, digits, dots, dashes and _, like 'haggler', found the text 'Ann'",
                "bad.yaml:2:1: promt: unknown field; did you mean 'prompt'?",
            ],
        ),
        (LM + "prompt: scirpt\n", [
            "bad.yaml:3:9: prompt: no prompt 'scirpt' beside this file, in the working folder or in the library; "
            "did you mean 'script'?"
        ]),
        (LM + "prompt: zzzzz\n", [
            "bad.yaml:3:9: prompt: no prompt 'zzzzz' beside this file, in the working folder or in the library; "
            "the library has chat, chat-2, script, script-2"
        ]),
    ],
)  # fmt: skip
def test_every_message_has_its_place(
    write: Callable[[str, str], Path], text: str, messages: list[str]
) -> None:
    write("bad.yaml", text)
    assert problems(["bad.yaml"]) == messages


def test_an_unknown_agent_gets_a_hint(write: Callable[[str, str], Path]) -> None:
    assert problems(["smol-scirpt", "zzzzz"]) == [
        (
            "no agent 'smol-scirpt': no such file, and no such name in the library; did you mean"
            " 'smol-script'?"
        ),
        (
            "no agent 'zzzzz': no such file, and no such name in the library; the library has"
            f" {', '.join(library_agent_names())}"
        ),
    ]


def test_an_agent_or_a_prompt_in_another_folder_gets_a_hint(
    write: Callable[[str, str], Path],
) -> None:
    write("agents/brief.yaml", "name: brief\nkind: human\n")
    write("judges/strict.yaml", "")
    write("prompts/short.yaml", "")
    write("mine.yaml", LM + "prompt: short.yaml\n")
    none = "no such file, and no such name in the library"
    assert problems(["brief.yaml", "breif", "strict.yaml", "mine.yaml"]) == [
        f"no agent 'brief.yaml': {none}; did you mean 'agents/brief.yaml'?",
        f"no agent 'breif': {none}; did you mean 'agents/brief.yaml'?",
        f"no agent 'strict.yaml': {none}; the library has {', '.join(library_agent_names())}",
        (
            "mine.yaml:3:9: prompt: no prompt 'short.yaml' beside this file, in the working folder"
            " or in the library; did you mean 'prompts/short.yaml'?"
        ),
    ]


@pytest.mark.parametrize("name", ["", "x" * 5000, "a\0b", ".", "/", "no/such/file.yaml"])
def test_strange_names_are_one_line(write: Callable[[str, str], Path], name: str) -> None:
    (message,) = problems([name])
    assert message.startswith("no agent ")
    assert "\n" not in message


def test_all_problems_of_all_files_come_at_once(write: Callable[[str, str], Path]) -> None:
    write("one.yaml", LM + "foo: 1\n")
    write("two.yaml", "- a list\n")
    assert problems(["one", "two", "three-of-them"]) == [
        "one.yaml:3:1: foo: unknown field",
        "two.yaml:1:1: expected a mapping, found a list",
        (
            "no agent 'three-of-them': no such file, and no such name in the library; "
            f"the library has {', '.join(library_agent_names())}"
        ),
    ]


def test_two_files_of_one_name_are_refused_and_one_file_twice_is_not(
    write: Callable[[str, str], Path],
) -> None:
    write("one.yaml", LM)
    write("two.yaml", LM)
    assert problems(["one", "two"]) == ["two agents are named 'mine': one.yaml and two.yaml"]
    assert [loaded.spec.name for loaded in find_specs(["one", "one.yaml", "./one.yaml"])] == [
        "mine"
    ] * 3


def test_where_a_name_is_looked_up(write: Callable[[str, str], Path]) -> None:
    (library,) = find_specs(["smol-chat"])
    assert library.source.parent.name == "library"
    write("agents/smol-chat.yaml", LM)
    assert find_specs(["smol-chat"])[0].source == Path("agents/smol-chat.yaml")
    write("smol-chat.yaml", LM)
    assert find_specs(["smol-chat"])[0].source == Path("smol-chat.yaml")


def test_a_prompt_beside_its_agent_comes_first(write: Callable[[str, str], Path]) -> None:
    write("mine/script.yaml", "style: chat\nopening: (Mine.)\n")
    loaded = load_spec(write("mine/agent.yaml", LM))
    assert loaded.template_source == Path("mine/script.yaml")
    assert loaded.template is not None
    assert loaded.template.opening == "(Mine.)"


def test_a_bad_prompt_file_is_reported_at_its_own_place(write: Callable[[str, str], Path]) -> None:
    write("p.yaml", "style: chat\nsystem: You are {{nmae}}.\n")
    write("mine.yaml", LM + "prompt: p.yaml\n")
    (message,) = problems(["mine"])
    assert message.startswith(
        "p.yaml:2:9: system: unknown slot {{nmae}}; the slots are setting, name, persona, others"
    )


@pytest.mark.parametrize("name", library_agent_names())
def test_the_librarys_agents_load(name: str) -> None:
    (loaded,) = find_specs([name])
    assert loaded.spec.name == name
    assert loaded.spec.description
    info = INFO
    if loaded.planner is not None:  # it fits its own model alone
        info = replace(INFO, id=loaded.planner.info.lm_id, width=loaded.planner.info.width)
    if isinstance(loaded.spec, ScriptedSpec):  # it has no model
        info = replace(INFO, id="")
    agent = make_agent(loaded, info)
    assert isinstance(agent, LMAgent | ScriptedAgent | HumanAgent)


def test_an_id_is_the_content_and_not_the_name(write: Callable[[str, str], Path]) -> None:
    mine = load_spec(write("mine.yaml", LM))
    renamed = load_spec(write("other.yaml", LM.replace("mine", "yours") + "description: x\n"))
    assert agent_id_of(mine, INFO) == agent_id_of(renamed, INFO)
    assert agent_id_of(mine, INFO).startswith("a1-")
    changed = [
        load_spec(write("c.yaml", LM + line))
        for line in (
            "reasks: 1\n",
            "dtype: float32\n",
            "prompt: chat\n",
            "max_similarity: 0.5\n",
            "sampling: {top_k: 1}\n",
        )
    ]
    ids = {agent_id_of(loaded, INFO) for loaded in (mine, *changed)}
    ids.add(agent_id_of(mine, dataclasses.replace(INFO, id="hash-2")))
    assert len(ids) == 7


def test_a_local_model_is_its_content_and_a_server_its_address(
    write: Callable[[str, str], Path],
) -> None:
    here, there = (
        load_spec(write(f"{n}.yaml", f"name: a\nmodel: hf:{n}\n")) for n in ("here", "there")
    )
    local = ModelInfo(spec="hf:here", id="hash-1", dtype="float32", context=None)
    assert agent_id_of(here, local) == agent_id_of(there, local)
    one, two = (
        load_spec(write(f"{n}.yaml", f"name: a\nmodel: openai:m@http://{n}/v1\n"))
        for n in ("one", "two")
    )
    server = ModelInfo(spec="openai:m@http://one/v1", id="hash-1", dtype="", context=None)
    assert agent_id_of(one, server) != agent_id_of(two, server)


SERVER = "name: mine\nmodel: openai:qwen2.5-7b@http://127.0.0.1:8000/v1\nprompt: chat\n"
AT_SERVER = ModelInfo(
    spec="openai:qwen2.5-7b@http://127.0.0.1:8000/v1", id="hash-1", dtype="", context=None
)


def test_ids_of_before_stay(write: Callable[[str, str], Path]) -> None:
    at_server = load_spec(
        write("s.yaml", SERVER + "sampling: {temperature: 0.7, max_new_tokens: 120}\n")
    )
    assert agent_id_of(at_server, AT_SERVER) == "a1-4cdc767fea6d68ab5591e8ceb505d7c3"
    assert (
        agent_id_of(load_spec(write("l.yaml", LM)), INFO) == "a1-6d50f46fe6160c980ab5503056c16b1b"
    )


def test_how_a_server_is_asked(write: Callable[[str, str], Path]) -> None:
    text = """api_key_env: MY_KEY
timeout: 300
retries: 1
concurrency: 2
headers: {x-title: lab}
extra_body: {chat_template_kwargs: {enable_thinking: false}}
reasoning: {open: <plan>, close: </plan>}
"""
    spec = load_spec(write("s.yaml", SERVER + text)).spec
    assert isinstance(spec, LMSpec)
    assert spec.server_options() == ServerOptions(
        api_key_env="MY_KEY",
        timeout_s=300,
        retries=1,
        concurrency=2,
        headers={"x-title": "lab"},
        extra_body={"chat_template_kwargs": {"enable_thinking": False}},
    )
    assert spec.reasoning == ReasoningMarks(open="<plan>", close="</plan>")
    over = spec.server_options(ServerFields(timeout=5, retries=0))
    assert (over.timeout_s, over.retries, over.concurrency) == (5, 0, 2)
    plain = load_spec(write("p.yaml", SERVER)).spec
    assert isinstance(plain, LMSpec)
    assert plain.server_options() == ServerOptions()


def test_of_a_servers_fields_those_belong_to_the_id_that_shape_what_is_said(
    write: Callable[[str, str], Path],
) -> None:
    def made(line: str) -> tuple[str, str]:
        loaded = load_spec(write("s.yaml", SERVER + line))
        assert isinstance(loaded.spec, LMSpec)
        return agent_id_of(loaded, AT_SERVER), model_key(loaded.spec)

    id_, key = made("")
    assert key == "openai:qwen2.5-7b@http://127.0.0.1:8000/v1#auto"
    for line in ("api_key_env: K", "timeout: 9", "retries: 9", "concurrency: 9", "headers: {a: b}"):
        assert made(f"{line}\n")[0] == id_, line
        assert made(f"{line}\n")[1] != key, line  # asked in another way, so by another backend
    assert made("extra_body: {}\n")[0] == id_
    shaped = {
        made(f"{line}\n")
        for line in ("extra_body: {a: 1}", "extra_body: {a: 2}", "reasoning: off", "reasoning: on")
    }
    assert len({found for found, _ in shaped} | {id_}) == 5
    assert len({found for _, found in shaped} | {key}) == 5


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            LM + "timeout: 3\nextra_body: {a: 1}\nreasoning: off\n",
            [
                f"bad.yaml:{line}: {name}: only a server (openai:MODEL@URL) has this; remove it, or"
                " name a server's model"
                for line, name in (("3:10", "timeout"), ("4:13", "extra_body"))
            ],
        ),
        (
            SERVER + "timeout: 0\n",
            ["bad.yaml:4:10: timeout: expected more than 0, found the number 0"],
        ),
        (
            SERVER + "concurrency: 0\n",
            ["bad.yaml:4:14: concurrency: expected at least 1, found the number 0"],
        ),
        (
            SERVER + "reasoning: maybe\n",
            ["bad.yaml:4:12: reasoning: expected on or off, found the text 'maybe'"],
        ),
        (
            SERVER + "api_key_env: sk-1234\n",
            [
                "bad.yaml:4:14: api_key_env: expected the name of an environment variable, like"
                " MY_SERVER_KEY, and never the key itself"
            ],
        ),
        (
            SERVER + "extra_body: {messages: []}\n",
            [
                "bad.yaml:4:13: extra_body: messages cannot be set here: simworld itself writes it"
                " into each request"
            ],
        ),
        (
            SERVER + "extra_body: {a: .inf}\n",
            ["bad.yaml:4:13: extra_body: expected plain JSON, without .inf and .nan"],
        ),
        (
            SERVER + "headers: {Authorization: Bearer x}\n",
            [
                "bad.yaml:4:10: headers: a key does not belong into a file: put it into an"
                " environment variable, and its name into api_key_env"
            ],
        ),
        (
            "name: a\nmodel: openai:m@http://h/v1/responses\n",
            [
                "bad.yaml:2:8: model: model 'openai:m@http://h/v1/responses': only"
                " /chat/completions is asked; write openai:m@http://h/v1"
            ],
        ),
    ],
)
def test_what_a_file_may_not_say_of_a_server(
    write: Callable[[str, str], Path], text: str, messages: list[str]
) -> None:
    write("bad.yaml", text)
    found = problems(["bad.yaml"])
    assert found == messages
    assert "sk-1234" not in "".join(found)


def test_from_spec_to_agent(write: Callable[[str, str], Path]) -> None:
    mine = load_spec(write("mine.yaml", LM + "dtype: float32\n"))
    agent = make_agent(mine, INFO)
    assert isinstance(agent, LMAgent)
    assert agent.model == model_key(mine.spec) == "builtin:smollm2-135m-instruct#float32"  # type: ignore[arg-type]
    assert agent.id == agent_id_of(mine, INFO)
    with pytest.raises(ValueError, match="agent 'mine' needs its model and its prompt"):
        make_agent(mine)
    scripted = make_agent(
        load_spec(write("s.yaml", "name: s\nkind: scripted\nlines: [Hi]\nafter: leave\n"))
    )
    assert isinstance(scripted, ScriptedAgent)
    late = example_observations()[-1]  # it has said its line
    with pytest.raises(StopIteration) as over:
        next(scripted.act(late))
    assert over.value.value.action.kind is ActionKind.leave
    assert (
        make_agent(load_spec(write("h.yaml", "name: h\nkind: human\n"))).model == "human:terminal"
    )


def test_the_json_schema_knows_the_three_kinds() -> None:
    schema = agent_json_schema()
    assert schema["title"] == "simworld agent"
    assert {"LMSpec", "ScriptedSpec", "HumanSpec", "SamplingSpec"} <= set(schema["$defs"])


def test_a_pipe_or_a_dead_link_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "dead.yaml").symlink_to("nowhere")
    (tmp_path / "folder.yaml").mkdir()
    assert problems(
        [str(tmp_path / "pipe.yaml"), str(tmp_path / "dead.yaml"), str(tmp_path / "folder.yaml")]
    ) == [
        f"{tmp_path}/pipe.yaml: is a pipe, not a file",
        f"{tmp_path}/dead.yaml: is a link to nothing",
        f"{tmp_path}/folder.yaml: is a folder; name a file",
    ]
