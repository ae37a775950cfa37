"""From a file to its text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simworld.core.errors import InputError
from simworld.yamlfile.source_text import read_source_text


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match=r"pipe\.yaml: is a pipe, not a file"):
        read_source_text(tmp_path / "pipe.yaml")


def test_a_link_to_nothing_and_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "dead.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(InputError, match="is a link to nothing"):
        read_source_text(tmp_path / "dead.yaml")
    with pytest.raises(InputError, match="Too many levels of symbolic links"):
        read_source_text(tmp_path / "loop.yaml")


def test_what_a_shell_pipes_in_is_read() -> None:
    code = (
        "from pathlib import Path\nfrom simworld.yamlfile.source_text import"
        " read_source_text\nprint(read_source_text(Path('/dev/stdin')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="name: x",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("name: x\n", "")
