"""`simworld scenario …` as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from scenarios import load_scenario
from scenarios.scenario_file import scenario_json_schema
from scenarios.shipped_folders import EXAM_FOLDER, HELDOUT_FOLDER
from simworld.cli.scenario import scenario
from simworld.core.errors import InputError
from tests.factories.sotopia import write


def run(*arguments: str) -> Result:
    return CliRunner().invoke(scenario, list(arguments))


def ok(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def error(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, InputError), result.exception
    assert result.exception.exit_code == 2
    return f"{result.stderr}{result.exception}"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_new_writes_a_template_that_passes_check_and_never_overwrites() -> None:
    assert (
        ok("new", "my-market")
        == "Wrote my-market.yaml: edit it; `simworld check` says what is wrong.\n"
        "next: simworld agent new my-agent other-agent\n"
    )
    assert ok("check", "my-market.yaml") == "1 scenario in 1 file: ok\n"
    (found,) = load_scenario("my-market.yaml")
    assert found.name == "my-market"
    assert found.title == "My market"
    text = Path("my-market.yaml").read_text(encoding="utf-8")
    assert (
        error("new", "my-market") == "my-market.yaml: exists already; choose another name or --out"
    )
    assert Path("my-market.yaml").read_text(encoding="utf-8") == text
    assert ok("new", "12", "--out", "twelve.yaml")
    assert ok("check", ".") == "2 scenarios in 2 files: ok\n"
    assert (
        error("new", "x", "--out", "no/such/x.yaml") == "no/such/x.yaml: its folder does not exist"
    )
    assert "cannot be a scenario's name" in error("new", "My Market")


def test_the_templates_commented_variants_work_when_uncommented() -> None:
    ok("new", "m")
    text = Path("m.yaml").read_text(encoding="utf-8")
    text = (
        text.replace("# parameters: ", "parameters: ")
        .replace("# matrix: ", "matrix: ")
        .replace("15 euros", "{{price}} euros")
    )
    Path("m.yaml").write_text(text, encoding="utf-8")
    assert [s.name for s in load_scenario("m.yaml")] == ["m.price-30", "m.price-40", "m.price-50"]


def test_check_prints_every_problem_of_every_file_and_a_count() -> None:
    Path("a.yaml").write_text("name: a\nsetting: S\nseats: []\n")
    Path("b.yaml").write_bytes(b"\x00\x01")
    Path("e").mkdir()
    assert error("check", ".", "b.yaml", "e", "none.yaml").split("\n") == [
        "e: no YAML file in this folder",
        "a.yaml:3:8: seats: expected at least 2 entries, found 0 entries",
        "b.yaml:1:1: control character U+0000: this is not a text file",
        "none.yaml: no such file",
        "4 problems in 3 files",
    ]


def test_check_counts_scenarios_files_and_personas() -> None:
    Path("personas").mkdir()
    Path("personas/ann.yaml").write_text("name: Ann\n")
    assert ok("check", ".") == "1 persona: ok\n"
    ok("new", "x")
    assert ok("check", ".", "x.yaml") == "1 scenario in 1 file and 1 persona: ok\n"


def test_list_as_table_and_json() -> None:
    table = ok("list", "--kind", "bargaining").splitlines()
    assert table[0].split() == ["name", "kind", "seats", "title"]
    assert any(
        line.startswith("last-concert-ticket ") and line.endswith("The last ticket")
        for line in table
    )
    entries = json.loads(ok("list", "--json", "--tag", "price"))
    assert {"last-concert-ticket"} <= {entry["name"] for entry in entries}
    assert all("price" in entry["tags"] for entry in entries)
    assert "did you mean 'last-concert-ticket'?" in error("list", "last-concert-tiket")
    for name, folder in (("heldout", HELDOUT_FOLDER), ("exam", EXAM_FOLDER)):
        listed = json.loads(ok("list", name, "--json"))
        assert {Path(entry["file"]).parent for entry in listed} == {folder}


def test_show_prints_what_each_seat_sees_and_where_personas_came_from() -> None:
    text = ok("show", "last-concert-ticket")
    seller, buyer = text.split("Seat seller sees:")[1].split("Seat buyer sees:")
    assert "library: nadia-brandt.yaml" in seller
    assert "restricted view" in seller
    assert "restricted view" not in buyer
    assert "cousin" in buyer
    assert "cousin" not in seller
    only = ok("show", "last-concert-ticket", "--seat", "buyer")
    assert "restricted view" not in only
    assert "judge only" not in only
    (data,) = json.loads(ok("show", "last-concert-ticket", "--json", "--seat", "buyer"))
    assert list(data["sees"]) == ["buyer"]
    assert "restricted view" not in json.dumps(data["sees"])
    assert (
        error("show", "last-concert-ticket", "--seat", "x")
        == "last-concert-ticket has no seat 'x'; its seats are seller, buyer"
    )


def test_show_of_a_file_with_personas_in_place_and_variants() -> None:
    ok("new", "x")
    text = ok("show", "x.yaml")
    assert "written in the scenario" in text
    assert text.startswith("x: X\n")


def test_schema_prints_the_json_schema() -> None:
    assert json.loads(ok("schema")) == scenario_json_schema()
    assert json.loads(ok("schema", "--persona"))["title"] == "simworld persona"


def test_import_sotopia_then_check() -> None:
    write(Path("in"))
    assert (
        ok("import-sotopia", "in", "--out", "out")
        == "Wrote 1 scenario in 1 family and 2 personas to out.\nnext: simworld scenario check"
        " out\n"
    )
    assert ok("check", "out") == "1 scenario in 1 file and 2 personas: ok\n"
    assert (
        error("import-sotopia", "in", "--out", "out")
        == "out: the folder is not empty; name another, or use --force"
    )
    assert ok("import-sotopia", "in", "--out", "out", "--force").startswith("Wrote 1 scenario ")


def test_import_sotopia_needs_a_folder_that_exists() -> None:
    assert error("import-sotopia", "nowhere", "--out", "out") == "nowhere: no such folder"
    assert isinstance(run("import-sotopia", "nowhere").exception, SystemExit | click.UsageError)


def test_the_real_command_exits_with_2_and_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "rent.yaml").write_text(
        "name: rent\nsetting: S\nseats:\n  - {name: a, persona: {name: Ann}, goal: G}\n"
        "  - name: b\n    persona: {name: Bo}\n    gaol: H\n"
    )
    code = "import sys; from simworld.cli import main; sys.argv[0] = 'simworld'; main()"
    command = [sys.executable, "-c", code, "scenario", "check", "rent.yaml"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert (
        done.stderr
        == "rent.yaml:7:5: seats.1.gaol: unknown field; did you mean 'goal'?\nError: 1 problem in 1"
        " file\n"
    )


def test_a_pipe_a_loop_and_a_dead_link_are_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo("pipe.yaml")
    Path("loop.yaml").symlink_to("loop.yaml")
    Path("dead.yaml").symlink_to("nowhere")
    for command in ("check", "show"):
        assert "pipe.yaml: is a pipe, not a file" in error(command, "pipe.yaml")
        assert "loop.yaml: cannot be read: Too many levels of symbolic links" in error(
            command, "loop.yaml"
        )
        assert "dead.yaml: is a link to nothing" in error(command, "dead.yaml")


def test_direction_characters_are_shown_and_not_obeyed() -> None:
    ok("new", "market")
    text = Path("market.yaml").read_text(encoding="utf-8")
    text = text.replace("title: Market", 'title: "T\\u202e"').replace(
        "kind: bargaining", 'kind: "k\\u202e"  #'
    )
    Path("market.yaml").write_text(text, encoding="utf-8")
    for out in (
        ok("list", "market.yaml"),
        ok("show", "market.yaml"),
        ok("show", "market.yaml", "--json"),
    ):
        assert r"T\u202e" in out
        assert "\u202e" not in out
    assert json.loads(ok("show", "market.yaml", "--json"))[0]["title"] == "T\u202e"


def test_new_refuses_a_file_name_that_is_not_utf8() -> None:
    assert "its name is not UTF-8 text" in error("new", "market", "--out", "\udcff.yaml")
    assert os.listdir() == []
