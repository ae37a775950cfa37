"""Files by folder and by glob, on disks as they are: links in a circle, pipes, and more files than
anybody means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from simworld.core.errors import InputError
from simworld.yamlfile import file_search, glob_yaml_files, list_yaml_files


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    for name in (
        "s1.yaml",
        "s2.yml",
        "notes.txt",
        ".hidden.yaml",
        "a/s3.yaml",
        "a/b/s4.yaml",
        ".git/s5.yaml",
        "[x]/s6.yaml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("name: x\n")
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "dead.yaml").symlink_to("nowhere")
    for circle in ("round", "a/round", "a/b/round"):  # three links to everything
        (tmp_path / circle).symlink_to(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("s*.yaml", ["s1.yaml"]),
        ("s*", ["s1.yaml", "s2.yml"]),
        ("*", ["s1.yaml", "s2.yml"]),
        ("s**.yaml", ["s1.yaml"]),  # `**` within a name is `*`
        ("?1.yaml", ["s1.yaml"]),
        ("s[12].*", ["s1.yaml", "s2.yml"]),
        # a link that is named by a pattern is followed
        ("*/s*.yaml", ["[x]/s6.yaml", "a/s3.yaml", "round/s1.yaml"]),
        ("[[]x]/*.yaml", ["[x]/s6.yaml"]),
        ("**/s*.yaml", ["[x]/s6.yaml", "a/b/s4.yaml", "a/s3.yaml", "s1.yaml"]),
        ("**/**/**/**/**/b/*.yaml", ["a/b/s4.yaml"]),
        ("a/../s1.*", ["a/../s1.yaml"]),
        ("[z-a].yaml", []),
        ("[", []),
        ("***", ["s1.yaml", "s2.yml"]),
        ("nowhere/*.yaml", []),
        ("s1.yaml/*.yaml", []),
        ("x" * 5_000 + "*", []),
        ("x" * 5_000 + "/*.yaml", []),
        ("s*\0.yaml", []),
        (".*.yaml", [".hidden.yaml"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_a_pattern_matches(disk: Path, pattern: str, found: Sequence[str]) -> None:
    assert glob_yaml_files(pattern, disk) == sorted(disk / name for name in found)
    if pattern and "\0" not in pattern and "[x]" not in str(disk):
        assert glob_yaml_files(f"{disk}/{pattern}") == sorted(
            disk / name for name in found
        )  # the same as an absolute one


def test_the_files_of_a_folder(disk: Path) -> None:
    assert list_yaml_files(disk) == sorted(
        disk / name for name in ("s1.yaml", "s2.yml", "a/s3.yaml", "a/b/s4.yaml", "[x]/s6.yaml")
    )


def test_more_than_anybody_means_is_refused(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_search, "MAX_FILES", 3)
    with pytest.raises(InputError, match=r"^\*\*/\*: more than 3 YAML files; name fewer$"):
        glob_yaml_files("**/*", disk)
    monkeypatch.setattr(file_search, "MAX_ENTRIES", 10)
    with pytest.raises(
        InputError,
        match="more than 10 files and folders to look through; name a folder further down",
    ):
        list_yaml_files(disk)


def test_folders_in_folders_without_end(tmp_path: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(400):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    with pytest.raises(InputError, match="folders more than 200 deep"):
        list_yaml_files(tmp_path)
    with pytest.raises(InputError, match="folders more than 200 deep"):
        glob_yaml_files("**/*.yaml", tmp_path)


def test_what_is_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        list_yaml_files(tmp_path / "nowhere")
