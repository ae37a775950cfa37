"""Damaged databases, read by every command and page that reads, and hostile SQL: one clear line, in
bounded time and memory."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

from starlette.testclient import TestClient

from simworld.web.app import make_app
from store import open_store
from tests.campaign.command import faults, name_of, run_command
from tests.campaign.damage import damage
from tests.campaign.part import Finding, Outcome, Told, chance
from tests.campaign.sql import hostile
from tests.factories.web_world import build

# of each damaged database, drawn anew for each: more databases find more than more reads of one
READS = 24
STATEMENTS = 1  # a hostile one per case, beside the reads
TIMEOUT_S = "2"  # of a hostile statement
READY = (
    "branches", "checks", "costs", "coverage", "endings", "failures", "judging", "language",
    "planners", "repeated-lines", "scores", "scores-by-family", "trainings", "unscored",
)  # fmt: skip
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("episode", "list", "--limit", "0"), ("episode", "list", "--json"),
    ("episode", "list", "--agent", "plain"), ("episode", "show", "EPISODE"),
    ("episode", "show", "EPISODE", "--json"), ("episode", "replay", "EPISODE", "--all"),
    ("episode", "replay", "EPISODE", "--all", "--seat", "SEAT"), ("db", "info"),
    ("db", "info", "--json"), ("db", "info", "--columns"), ("db", "export", "--out", "%/out.jsonl"),
    ("db", "export", "--out", "%/all.jsonl", "--vectors"), ("judge", "agree"),
    ("judge", "agree", "--run", "cup", "--json"), ("tournament", "status", "cup.yaml"),
    ("tournament", "standings", "cup.yaml"), ("tournament", "standings", "cup.yaml", "--json"),
    ("tournament", "compare", "cup.yaml", "ada", "ben"), ("report", "cup", "--out", "%/cup.html"),
    ("report", "steered", "--out", "%/steered.html"),
    ("train", "inspect", "--run", "steered", "--judge", "digits"),
    ("train", "export", "--run", "steered", "--judge", "digits", "--out", "%/data.npz"),
    ("db", "query", "SELECT * FROM acts LIMIT 20"), ("db", "query", "SELECT * FROM judgements", "--json"),
    ("db", "query", "SELECT * FROM episodes", "--csv"), ("db", "upgrade"),
    *(("db", "query", f"@{name}") for name in READY),
    ("db", "query", "@transcript", "--set", "episode=EPISODE"),
    ("db", "query", "@paired", "--set", "first=ada", "--set", "second=ben"),
)  # fmt: skip
PAGES = (
    "/", "/run/show/cup", "/run/show/steered", "/run/show/cup?page=2",
    "/tournament/standings?run=cup", "/tournament/compare?run=cup&first=ada&second=ben",
    "/scenario/list", "/scenario/show/SCENARIO", "/episode/list", "/episode/list?run=cup",
    "/episode/search?text=cake", "/episode/show/EPISODE", "/episode/show/EPISODE?view=SEAT",
    "/train/list", "/train/show/haggler", "/db/query", "/db/query?sql=SELECT+*+FROM+acts",
    "/db/info", "/agent/show/a-plain", "/agent/show/a-steered",
)  # fmt: skip


class Databases:
    """The part; each case damages a copy of one database and reads it in some ways."""

    def __init__(self, folder: Path) -> None:
        os.chdir(folder)
        build(folder)
        self._whole = folder / "world.db"
        with open_store(str(self._whole)) as store:
            summaries = list(store.episode_summaries())
        self._episodes = [(found.id, found.scenario_id, found.run) for found in summaries]
        warnings.simplefilter("ignore")

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        """Damages a copy and reads it."""
        draw = chance("databases", seed)
        path = folder / "world.db"
        shutil.copy(self._whole, path)
        told = "; ".join(damage(path, draw))
        episode, scenario, run = draw.choice(self._episodes)
        words = {
            "EPISODE": episode,
            "SCENARIO": scenario,
            "SEAT": "seller" if run == "steered" else "cook",
            "%": str(folder),
        }
        damaged = path.read_bytes()
        findings: list[Finding] = []
        reads = draw.sample([*COMMANDS, *PAGES], READS)
        for command in [read for read in reads if not isinstance(read, str)]:
            path.write_bytes(damaged)  # what a reader mended or upgraded must not help the next
            tell(" ".join(command[:3]))
            findings += self._command(
                [_filled(word, words) for word in command], path, " ".join(command[:2])
            )
        path.write_bytes(damaged)
        findings += self._pages(
            [read for read in reads if isinstance(read, str)], path, words, tell
        )
        shutil.copy(self._whole, path)
        for _ in range(STATEMENTS):
            statement = hostile(draw)
            tell(f"db query --timeout {TIMEOUT_S} {statement[:60]!r}")
            findings += self._command(
                ["db", "query", statement, "--limit", "100", "--timeout", TIMEOUT_S],
                path,
                "db query, hostile",
            )
            if path.read_bytes() != self._whole.read_bytes():
                findings.append(Finding(what="db query changed the file", detail=statement))
        findings = [Finding(what=one.what, detail=f"{told}\n{one.detail}") for one in findings]
        counts = {"databases": 1, "reads": READS, "hostile statements": STATEMENTS}
        return Outcome(counts=counts, findings=tuple(findings))

    def close(self) -> None:
        """Nothing was started."""

    def _command(self, args: Sequence[str], path: Path, kind: str) -> list[Finding]:
        # A database that cannot be read now, as a damaged one, is exit code 1.
        return faults(run_command([*args, "--db", str(path)]), kind=kind, codes=(0, 1, 2))

    def _pages(
        self, pages: Sequence[str], path: Path, words: dict[str, str], tell: Told
    ) -> list[Finding]:
        findings: list[Finding] = []
        with TestClient(make_app(str(path)), base_url="http://127.0.0.1:8137") as client:
            for page in pages:
                tell(f"page {page}")
                try:
                    answer = client.get(_filled(page, words))
                except Exception as error:  # the boundary: recorded
                    findings.append(
                        Finding(what=f"page {page}: {name_of(error)}", detail=repr(error)[:500])
                    )
                    continue
                if answer.status_code not in (200, 400, 404, 503):
                    findings.append(
                        Finding(
                            what=f"page {page}: status {answer.status_code}",
                            detail=answer.text[:500],
                        )
                    )
        return findings


def _filled(word: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word
