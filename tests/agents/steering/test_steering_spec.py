"""The `steering:` block: what it may say, where planners are found, and what makes an agent another
one."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agents import agent_content, agent_id_of, find_specs, load_spec, make_agent
from agents.lm_agent import LMAgent
from agents.steering.checkpoint import Checkpoint, EncoderInfo, save_checkpoint
from agents.steering.state_encoders import lm_encoder_id, load_text_encoder
from simworld.core.errors import InputError, ModelError
from simworld.core.requests import ModelInfo
from tests.factories.exploring import exploring

Make = Callable[..., Checkpoint]
LM = "name: mine\nmodel: hf:tiny\n"
STEERED = LM + "steering: {planner: haggler}\n"
RANDOM = LM + "steering: {planner: bare, explore: {kind: random}}\n"
INFO = ModelInfo(
    spec="hf:tiny", id="hash-1", dtype="float32", context=64, width=3, embedding_norm=4.0
)


@pytest.fixture
def write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_checkpoint: Make
) -> Callable[[str, str], Path]:
    """Writes files into the working folder; there are the planners `haggler`, with an actor, and
    `bare`, without a policy."""
    monkeypatch.chdir(tmp_path)
    save_checkpoint(Path("haggler"), make_checkpoint("actor"))
    save_checkpoint(Path("bare"), make_checkpoint())

    def _write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return _write


Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (LM + "steering: {}\n", ["bad.yaml:3:11: steering.planner: required field is missing"]),
        (LM + "steering: {planer: haggler}\n", ["bad.yaml:3:12: steering.planer: unknown field; did you mean 'planner'?"]),
        (LM + "steering: {planner: hagler}\n", [
            "bad.yaml:3:21: steering.planner: no checkpoint folder 'hagler' beside this file, in the working folder or the library"
            "; did you mean 'haggler'?"
        ]),
        (LM + "steering: {planner: smol-thnaks}\n", [
            "bad.yaml:3:21: steering.planner: no checkpoint folder 'smol-thnaks' beside this file, in the working folder or the "
            "library; 'smol-thanks' is an agent, and its planner is 'planners/thanks'"
        ]),
        (LM + "steering: {planner: smol-thanks}\n", [
            "bad.yaml:3:21: steering.planner: no checkpoint folder 'smol-thanks' beside this file, in the working folder or the "
            "library; 'smol-thanks' is an agent, and its planner is 'planners/thanks'"
        ]),
        (LM + "steering: {planner: thnks}\n", [
            "bad.yaml:3:21: steering.planner: no checkpoint folder 'thnks' beside this file, in the working folder or the "
            "library; did you mean 'planners/thanks'?"
        ]),
        (LM + "steering: {planner: haggler, position: middle}\n", [
            "bad.yaml:3:40: steering.position: expected start, mid or end, found the text 'middle'; did you mean 'mid'?"
        ]),
        (LM + "steering: {planner: haggler, act_norm: 0}\n", [
            "bad.yaml:3:40: steering.act_norm: expected more than 0, found the number 0"
        ]),
        (LM + "steering: {planner: haggler, explore: {kind: noise}}\n", [
            "bad.yaml:3:39: steering.explore: noise needs sigma, like 'sigma: 0.3'"
        ]),
        (LM + "steering: {planner: haggler, explore: {kind: random, sigma: 1}}\n", [
            "bad.yaml:3:39: steering.explore: random directions take no sigma; remove it, or write 'kind: noise'"
        ]),
        (LM + "steering: {planner: bare}\n", [
            "bad.yaml:3:21: steering.planner: this checkpoint is an up-mapping without a trained planner; "
            "add 'explore: {kind: random}', or train one"
        ]),
        (LM + "steering: {planner: bare, explore: {kind: noise, sigma: 1}}\n", [
            "bad.yaml:3:21: steering.planner: this checkpoint is an up-mapping without a trained planner; "
            "add 'explore: {kind: random}', or train one"
        ]),
        (LM + "steering: {planner: haggler, explore: {kind: ways, sigma: 1}}\n", [
            "bad.yaml:3:39: steering.explore: ways take no sigma; remove it, or write 'kind: noise'"
        ]),
        (LM + "steering: {planner: haggler, explore: {kind: ways}}\n", [
            "bad.yaml:3:39: steering.explore: this checkpoint has no ways of replying to try; "
            "make one with `simworld train latent`"
        ]),
        (LM + "prompt: scirpt\nsteering: {planner: nothing}\n", [
            "bad.yaml:3:9: prompt: no prompt 'scirpt' beside this file, in the working folder or in the library; "
            "did you mean 'script'?",
            "bad.yaml:4:21: steering.planner: no checkpoint folder 'nothing' "
            "beside this file, in the working folder or the library; there are bare, haggler, planners/earn-thanks, "
            "planners/judged, planners/numbers, planners/numbers-td3bc, planners/propose-then-thank, "
            "planners/thank-or-propose, planners/thanks, planners/thanks-and-times and 1 more",
        ]),
        ("name: a\nmodel: openai:m@http://h/v1\nsteering: {planner: haggler}\n", [
            "bad.yaml:3:11: steering: a server takes no prefix embeddings yet (vLLM's prompt_embeds is not there yet); "
            "use builtin: or hf:"
        ]),
        ("name: a\nmodel: openai:m@http://h/v1\nrecord_states: true\n", [
            "bad.yaml:3:16: record_states: a server shows no states of its model; use a local model (builtin: or hf:), "
            "or remove this"
        ]),
    ],
)  # fmt: skip
def test_every_message_has_its_place(write: Write, text: str, messages: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        load_spec(write("bad.yaml", text))
    assert [str(problem) for problem in refused.value.problems] == messages


def test_a_broken_planner_is_reported_at_its_own_place(write: Write) -> None:
    Path("haggler/planner.json").unlink()
    with pytest.raises(InputError) as refused:
        load_spec(write("mine.yaml", STEERED))
    assert str(refused.value) == "haggler/planner.json: no such file"


def test_a_planner_beside_its_agent_comes_first(write: Write, make_checkpoint: Make) -> None:
    mine = make_checkpoint("actor", seed=5)
    save_checkpoint(Path("deep/haggler"), mine)
    loaded = load_spec(write("deep/mine.yaml", STEERED))
    assert loaded.planner is not None
    assert (loaded.planner.path, loaded.planner.id) == (Path("deep/haggler"), mine.id)
    elsewhere = load_spec(write("other/mine.yaml", STEERED))
    assert elsewhere.planner is not None
    assert elsewhere.planner.path == Path("haggler")


def test_a_planner_of_the_library_has_a_name_everywhere(write: Write) -> None:
    steered = (
        "name: mine\nmodel: builtin:smollm2-135m-instruct\nsteering: {planner: planners/thanks}\n"
    )
    loaded = load_spec(write("deep/mine.yaml", steered))
    (shipped,) = find_specs(["smol-thanks"])
    assert loaded.planner is not None
    assert shipped.planner is not None
    assert loaded.planner.id == shipped.planner.id


def test_from_a_file_to_a_steered_agent(write: Write, make_checkpoint: Make) -> None:
    more = ", position: mid, act_norm: 2, explore: {kind: noise, sigma: 0.3, per: episode}}"
    agent = make_agent(load_spec(write("mine.yaml", STEERED.replace("}", more))), INFO)
    assert isinstance(agent, LMAgent)
    assert agent.steering is not None
    policy = agent.steering.policy
    assert policy is not None
    assert (policy.planner_id, policy.position) == (make_checkpoint("actor").id, "mid")
    assert policy.exploration == exploring(sigma=0.3, per="episode")
    action = torch.ones(1, 2)
    # 2 in place of 0.5
    assert torch.allclose(policy.upmap(action), 4 * make_checkpoint("actor").upmap(action))
    assert agent.steering.encoder.id == lm_encoder_id("hash-1", agent.template.version)


def test_ways_are_those_of_the_checkpoint(write: Write, make_checkpoint: Make) -> None:
    made = make_checkpoint("", ways=3)
    save_checkpoint(Path("knowing"), made)
    agent = make_agent(
        load_spec(write("mine.yaml", LM + "steering: {planner: knowing, explore: {kind: ways}}\n")),
        INFO,
    )
    assert isinstance(agent, LMAgent)
    assert agent.steering is not None
    assert agent.steering.policy is not None
    exploration = agent.steering.policy.exploration
    assert exploration is not None
    assert exploration.ways is not None
    assert made.ways is not None
    assert torch.equal(exploration.ways, made.ways)


def test_plain_agents_and_those_that_record_states(write: Write) -> None:
    plain = make_agent(load_spec(write("a.yaml", LM)), INFO)
    assert isinstance(plain, LMAgent)
    assert plain.steering is None
    records = make_agent(load_spec(write("b.yaml", LM + "record_states: true\n")), INFO)
    assert isinstance(records, LMAgent)
    assert records.steering is not None
    assert records.steering.policy is None
    assert records.steering.encoder.id == lm_encoder_id("hash-1", records.template.version)


def test_the_id_is_what_steers_and_not_where_it_lies(write: Write, make_checkpoint: Make) -> None:
    save_checkpoint(Path("copy"), make_checkpoint("actor"))
    save_checkpoint(Path("other"), make_checkpoint("actor", seed=1))
    blocks = {
        "same": [
            "{planner: haggler}",
            "{planner: copy}",
            "{planner: ./haggler, position: end}",
            "{planner: haggler, act_norm: 0.5}",
        ],
        "apart": [
            "{planner: other}",
            "{planner: haggler, position: start}",
            "{planner: haggler, act_norm: 0.6}",
            "{planner: haggler, explore: {kind: random}}",
            "{planner: haggler, explore: {kind: random, per: episode}}",
            "{planner: haggler, explore: {kind: noise, sigma: 0.3}}",
            "{planner: haggler, explore: {kind: noise, sigma: 0.4}}",
        ],
    }
    ids = {
        kind: {
            agent_id_of(load_spec(write("m.yaml", f"{LM}steering: {block}\n")), INFO)
            for block in texts
        }
        for kind, texts in blocks.items()
    }
    plain = {
        agent_id_of(load_spec(write("m.yaml", text)), INFO)
        for text in (LM, LM + "record_states: true\n")
    }
    assert len(ids["same"]) == 1
    assert len(ids["same"] | ids["apart"] | plain) == 10


def test_a_plain_agents_content_has_no_word_of_steering(write: Write) -> None:
    content = agent_content(load_spec(write("m.yaml", LM + "record_states: false\n")), INFO)
    assert not {"steering", "record_states"} & content.keys()
    steered = agent_content(load_spec(write("m.yaml", RANDOM)), INFO)
    assert steered["steering"] == {
        "planner": load_spec(Path("m.yaml")).planner.id,  # type: ignore[union-attr]
        "position": "end",
        "act_norm": 0.5,
        "explore": {"kind": "random", "sigma": None, "per": "turn"},
    }


def test_a_planner_for_another_model_is_refused(write: Write) -> None:
    loaded = load_spec(write("mine.yaml", STEERED))
    with pytest.raises(
        InputError, match=r"was made for hf:tiny \(hash-1…\), not for hf:tiny \(hash-2…\)"
    ):
        make_agent(loaded, replace(INFO, id="hash-2"))


def test_a_planner_of_another_sentence_encoder_is_refused(
    write: Write, make_checkpoint: Make
) -> None:
    encoder = load_text_encoder("builtin:all-minilm-l6-v2")
    for id_ in (encoder.id, "text-of-other-weights"):
        named = EncoderInfo(kind="text", id=id_, model="builtin:all-minilm-l6-v2")
        save_checkpoint(
            Path("haggler"), make_checkpoint("actor", encoder=named, d_state=encoder.size + 1)
        )
        loaded = load_spec(write("mine.yaml", STEERED))
        if id_ == encoder.id:
            made = make_agent(loaded, INFO)
            assert isinstance(made, LMAgent)
            assert made.steering is not None
            assert made.steering.encoder.id == id_
        else:
            with pytest.raises(
                InputError, match="was trained with another sentence encoder than it names now"
            ):
                make_agent(loaded, INFO)


def warnings_of(path: Path, info: ModelInfo = INFO) -> tuple[str, ...]:
    agent = make_agent(load_spec(path), info)
    assert isinstance(agent, LMAgent)
    assert agent.steering is not None
    return agent.steering.warnings


def test_another_prompt_warns_and_another_dtype_does_not(
    write: Write, make_checkpoint: Make
) -> None:
    path = write("mine.yaml", STEERED)
    template = load_spec(path).template
    assert template is not None
    save_checkpoint(
        Path("haggler"),
        make_checkpoint(
            "actor", encoder=EncoderInfo(kind="lm", id=lm_encoder_id("hash-1", template.version))
        ),
    )
    assert warnings_of(path) == ()
    assert warnings_of(path, replace(INFO, dtype="bfloat16")) == ()
    (prompt,) = warnings_of(write("other.yaml", STEERED + "prompt: chat\n"))
    assert "was trained with another prompt" in prompt
    assert warnings_of(write("random.yaml", RANDOM)) == ()  # no planner that knows states


def test_a_sentence_encoder_that_is_not_there(write: Write, make_checkpoint: Make) -> None:
    save_checkpoint(
        Path("haggler"),
        make_checkpoint("actor", encoder=EncoderInfo(kind="text", id="t", model="hf:gone")),
    )
    with pytest.raises(ModelError, match="sentence encoder 'hf:gone': expected builtin"):
        make_agent(load_spec(write("mine.yaml", STEERED)), INFO)


def test_reading_a_steered_agent_loads_no_torch(write: Write) -> None:
    path = write("mine.yaml", STEERED)
    code = f"""
import sys
from pathlib import Path
from agents import agent_id_of, load_spec
agent_id_of(load_spec(Path({str(path)!r})))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
