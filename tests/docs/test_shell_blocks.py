"""Every block for a shell, in README and the documentation, runs or says why not.

A page's blocks run in order in one folder; `docs_site/shell_blocks.py` has what a page may say of a
block. Without a word a block runs among the fast tests: offline, with an empty HOME.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs_site.pages import ROOT, all_pages
from docs_site.shell_blocks import Load, page_steps, steps_up_to

PAGES = {str(page.relative_to(ROOT)): page_steps(page.read_text("utf-8")) for page in all_pages()}


def pages_with(load: Load) -> list[str]:
    """The pages of which a test of this load runs a block that no lighter one does."""
    return [
        name
        for name, steps in PAGES.items()
        if any(one.load == load and not one.file for one in steps_up_to(steps, load))
    ]


def run_page(name: str, load: Load, folder: Path) -> None:
    home = {} if load != "fast" else {"HOME": str(folder / "home")}
    (folder / "home").mkdir()
    here = folder / "here"
    here.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SIMWORLD_")},
        **home,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": "100",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    }
    script = ["set -euo pipefail"]
    for step in steps_up_to(PAGES[name], load):
        if step.file:
            (here / step.file).parent.mkdir(parents=True, exist_ok=True)
            (here / step.file).write_text(step.text, "utf-8")
        else:
            script += [f"echo '--- {name}, line {step.line}' >&2", step.text]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=here,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("name", pages_with("fast"))
def test_the_blocks_run(name: str, tmp_path: Path) -> None:
    run_page(name, "fast", tmp_path)


@pytest.mark.model
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", pages_with("model"))
def test_the_blocks_with_the_model_run(name: str, tmp_path: Path) -> None:
    run_page(name, "model", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("name", pages_with("slow"))
def test_the_blocks_that_take_minutes_run(name: str, tmp_path: Path) -> None:
    run_page(name, "slow", tmp_path)


EXAMPLE = """\
Write this:

<!-- file: a/rent.yaml -->
```yaml
name: rent
```

```sh
ls
```

<!-- run: model -->

```bash
simworld run a/rent.yaml
```

<!-- not run: needs an API key;
last run by hand on 1 December 2026 -->
```
simworld judge run
```

```
printed
```
"""


def test_a_page_says_what_is_run_and_what_is_not() -> None:
    steps = page_steps(EXAMPLE)
    assert [(one.text, one.file, one.load, one.why_not) for one in steps] == [
        ("name: rent\n", "a/rent.yaml", "fast", ""),
        ("ls\n", "", "fast", ""),
        ("simworld run a/rent.yaml\n", "", "model", ""),
        (
            "simworld judge run\n",
            "",
            "fast",
            "needs an API key; last run by hand on 1 December 2026",
        ),
    ]
    assert [one.line for one in steps_up_to(steps, "fast")] == [4, 8]
    assert [one.line for one in steps_up_to(steps, "model")] == [4, 8, 14]


def test_a_comment_that_gives_no_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2: cannot read the comment"):
        page_steps("<!-- not run: -->\n```sh\nls\n```\n")
    with pytest.raises(ValueError, match="line 2: cannot read the comment"):
        page_steps("<!-- run: sometimes -->\n```sh\nls\n```\n")


def test_a_block_that_fails_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "```sh\ncd .\nsimworld scenario show gone-nowhere\necho after\n```\n"
    monkeypatch.setitem(PAGES, "page.md", page_steps(text))
    with pytest.raises(AssertionError, match=r"page\.md, line 1(.|\n)*gone-nowhere"):
        run_page("page.md", "fast", tmp_path)
