"""`simworld agent`."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import torch
import yaml
from click.testing import CliRunner, Result

import agents
from agents import agent_json_schema, agent_schema_text
from agents.steering.checkpoint import Checkpoint, CheckpointInfo, EncoderInfo, save_checkpoint
from agents.steering.upmap import UpMap
from simworld.cli.agent import agent
from simworld.core.errors import InputError

LIBRARY = Path(agents.__file__).parent / "library"


def invoke(*args: str) -> Result:
    return CliRunner().invoke(agent, list(args))


def test_the_committed_schema_is_what_the_command_prints() -> None:
    committed = (LIBRARY.parent / "agent.schema.json").read_text()
    assert committed == agent_schema_text(agent_json_schema()), (
        "run: simworld agent schema > agents/agent.schema.json"
    )
    assert invoke("schema").output == committed


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_library_fits_the_schema(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), agent_json_schema())


def test_list_and_show() -> None:
    listed = json.loads(invoke("list", "--json").output)
    assert "smol-script" in [row["name"] for row in listed]
    shown = json.loads(invoke("show", "smol-script", "--json").output)
    assert shown["template"]["style"] == "script"
    assert Path(shown["source"]) == LIBRARY / "smol-script.yaml"
    assert "smol-script" in invoke("show", "smol-script").output


def test_check_says_everything_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nmodel: builtin:x\nsampling: {temprature: 1}\n")
    (tmp_path / "b.yaml").write_text("name: b\nkind: scripted\nlines: []\n")
    (tmp_path / "c.yaml").write_text("name: c\nkind: human\n")
    (tmp_path / "d.yaml").write_text("name: c\nkind: human\n")
    result = invoke("check", str(tmp_path))
    assert isinstance(result.exception, InputError)
    text = str(result.exception)
    assert (
        f"{tmp_path}/a.yaml:3:12: sampling.temprature: unknown field; did you mean 'temperature'?"
        in text
    )
    assert f"{tmp_path}/b.yaml:3:8: lines: " in text
    assert f"{tmp_path}/d.yaml: the name 'c' is taken by {tmp_path}/c.yaml" in text
    assert invoke("check", str(tmp_path / "c.yaml")).output == "1 agent: ok\n"


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    result = invoke("check", str(tmp_path))
    assert str(result.exception) == f"{tmp_path}: the folder holds no YAML file"


def test_a_steered_agent_is_shown_with_its_planner(tmp_path: Path) -> None:
    upmap = UpMap(torch.eye(2, 6), tokens=2, act_norm=0.5, embedding_norm=4.0)
    info = CheckpointInfo(
        lm_id="hash-1", lm_spec="hf:tiny", dtype="float32", width=3, position="mid", encoder=EncoderInfo(kind="lm", id="e"),
        d_state=4, d_action=2, tokens=2, act_norm=0.5, embedding_norm=4.0, upmap="pca",
    )  # fmt: skip
    made = Checkpoint(info=info, upmap=upmap, mean=torch.zeros(4), std=torch.ones(4))
    save_checkpoint(tmp_path / "bare", made)
    path = tmp_path / "a.yaml"
    path.write_text("name: a\nmodel: hf:tiny\nsteering: {planner: bare, explore: {kind: random}}\n")
    assert invoke("check", str(path)).output == "1 agent: ok\n"
    shown = json.loads(invoke("show", str(path), "--json").output)
    assert shown["planner"]["id"] == made.id
    assert shown["planner"]["folder"] == str(tmp_path / "bare")
    assert (shown["planner"]["lm_id"], shown["planner"]["position"]) == ("hash-1", "mid")
    text = invoke("show", str(path)).output
    assert f"planner:\n  id: {made.id}\n" in text
    assert "steering" not in invoke("show", "smol-script").output


@pytest.mark.parametrize(("dtype", "noted"), [("float32", False), ("bfloat16", True)])
def test_another_number_format_is_a_note(tmp_path: Path, dtype: str, noted: bool) -> None:
    upmap = UpMap(torch.eye(2, 6), tokens=2, act_norm=0.5, embedding_norm=4.0)
    info = CheckpointInfo(
        lm_id="hash-1", lm_spec="hf:tiny", dtype="float32", width=3, position="mid", encoder=EncoderInfo(kind="lm", id="e"),
        d_state=4, d_action=2, tokens=2, act_norm=0.5, embedding_norm=4.0, upmap="pca",
    )  # fmt: skip
    save_checkpoint(
        tmp_path / "bare",
        Checkpoint(info=info, upmap=upmap, mean=torch.zeros(4), std=torch.ones(4)),
    )
    path = tmp_path / "a.yaml"
    path.write_text(
        f"name: a\nmodel: hf:tiny\ndtype: {dtype}\nsteering: {{planner: bare, explore: {{kind:"
        " random}}\n"
    )
    notes = json.loads(invoke("show", str(path), "--json").output)["notes"]
    expected = "the planner was made with hf:tiny in float32, and the model runs in bfloat16 here"
    assert [note.startswith(expected) for note in notes] == ([True] if noted else [])
    assert ("notes: " in invoke("show", str(path)).output) is noted


def test_show_says_that_a_planner_was_trained_with_another_prompt(tmp_path: Path) -> None:
    spec = (
        "name: mine\nmodel: builtin:smollm2-135m-instruct\ndtype: bfloat16\nsteering: {planner:"
        " planners/numbers}\n"
    )
    path = tmp_path / "mine.yaml"

    def notes() -> list[str]:
        shown = json.loads(invoke("show", str(path), "--json").output)["notes"]
        return [note for note in shown if "prompt" in note]

    path.write_text(spec)
    assert notes() == []
    path.write_text(spec + "prompt: script-2\n")
    (note,) = notes()
    begin = (
        "the planner was trained with another prompt version (dc45ba13afb9; the prompt script-2 is "
    )
    assert re.fullmatch(re.escape(begin) + r"[0-9a-f]{12}\), so on other states", note)
