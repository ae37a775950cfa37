"""CONTRIBUTING and its neighbours name targets, files and commands that there are; the forms for
issues and the citation have what their readers require."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

HOME = Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", ".github/PULL_REQUEST_TEMPLATE.md")
FORMS = sorted((HOME / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(name: str) -> str:
    return (HOME / name).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", read(page)):
        assert (HOME / page).parent.joinpath(target).exists(), target


def test_contributing_names_files_that_are_there() -> None:
    paths = set(re.findall(r"`([\w.]+/[\w./-]+)`", read("CONTRIBUTING.md")))
    assert len(paths) > 15
    written = {"store/migrations/versions/vNNNN_word.py"}
    assert {path for path in paths - written if not (HOME / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_make_are_there(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", read(page), re.MULTILINE)) <= targets


def test_contributing_has_every_group_of_tests() -> None:
    tests = set(re.findall(r"^(\w+):.*##.*\btests?\b", read("Makefile"), re.MULTILINE))
    told = set(re.findall(r"^\| `make (\w+)", read("CONTRIBUTING.md"), re.MULTILINE))
    assert tests | {"check", "wheel", "campaign"} <= told


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_has_what_it_needs(form: Path) -> None:
    asked: dict[str, Any] = yaml.safe_load(form.read_text("utf-8"))
    assert {"name", "description", "body"} <= asked.keys()
    fields = [field for field in asked["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in fields)
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids)) > 0
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_a_form_for_wrong_things_asks_for_the_version() -> None:
    assert "`simworld --version`" in read(".github/ISSUE_TEMPLATE/bug.yml")


def test_the_citation_can_be_read() -> None:
    citation: dict[str, Any] = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "Apache-2.0"
    assert "version" not in citation  # that stands in pyproject.toml alone
    for work in citation["references"]:
        assert {"type", "title", "authors"} <= work.keys()
