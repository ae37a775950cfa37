"""Damaged files of every kind that users write, given to the commands that read them: exit 0 or 2,
and never a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.rubrics import load_rubric
from simworld.core.errors import InputError
from simworld.judging.contrast_pairs import check_pair_dimensions, load_pairs
from simworld.judging.judge_check import check_judge
from simworld.judging.judge_spec import load_judge
from simworld.testing import FakeBackend
from tests.campaign.command import Ran, faults, name_of, run_command
from tests.campaign.good_files import BESIDE, SCORES
from tests.campaign.mutation import mutated
from tests.campaign.part import Finding, Outcome, Told, chance
from tests.factories.sotopia import write as write_sotopia

SOTOPIA = ("environments.json", "agents.json", "environment_agent_combos.json")
PLAYED = 0.1  # of the scenarios that are still good, how many are played too


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of file: which one is damaged, and the commands that read it; `%` stands for the
    folder of the case."""

    file: str
    commands: tuple[tuple[str, ...], ...]
    weight: int  # how often it is drawn; reading a tournament or a learn file takes long


SCENARIO = Kind(file="ticket.yaml", commands=(("scenario", "check", "ticket.yaml"),), weight=12)
SHOWN = ("scenario", "show", "ticket.yaml", "--json")
ACTED = ("run", "ticket.yaml", "--cast", "*=parrot.yaml", "--db", "%/played.db", "--json")
PAIRS = Kind(file="pairs.yaml", commands=(), weight=8)
KINDS: Mapping[str, Kind] = {
    "scenario": SCENARIO,
    "persona": Kind(
        file="personas/ben.yaml",
        weight=5,
        commands=(("scenario", "check", "personas/ben.yaml"), SHOWN),
    ),
    "agent": Kind(
        file="haggler.yaml",
        weight=10,
        commands=(("agent", "show", "haggler.yaml"), ("agent", "check", "haggler.yaml")),
    ),
    "script": Kind(
        file="parrot.yaml",
        weight=5,
        commands=(("agent", "check", "parrot.yaml"), ("agent", "show", "parrot.yaml", "--json")),
    ),
    "prompt": Kind(file="talk.yaml", weight=5, commands=(("agent", "show", "haggler.yaml"),)),
    "judge": Kind(
        file="strict.yaml",
        weight=8,
        commands=(("judge", "show", "strict.yaml"), ("judge", "show", "strict.yaml", "--json")),
    ),
    "rubric": Kind(file="own.yaml", weight=8, commands=(("judge", "show", "strict.yaml"),)),
    "tournament": Kind(
        file="cup.yaml",
        weight=5,
        commands=(
            ("tournament", "check", "cup.yaml"),
            ("tournament", "status", "cup.yaml", "--db", "%/none.db"),
        ),
    ),
    "learn": Kind(
        file="loop.yaml",
        weight=2,
        commands=(("learn", "--dry-run", "loop.yaml", "--db", "world.db", "--work", "%/work"),),
    ),
    "pairs": PAIRS,
    "scores": Kind(
        file="scores.csv",
        weight=5,
        commands=(("judge", "import", "scores.csv", "--rater", "eva", "--db", "%/world.db"),),
    ),
    **{
        f"sotopia {name.removesuffix('.json')}": Kind(
            file=f"sotopia/{name}",
            weight=3,
            commands=(("scenario", "import-sotopia", "sotopia", "--out", "%/out"),),
        )
        for name in SOTOPIA
    },
}


class Files:
    """The part; each case damages one file and reads it."""

    def __init__(self, folder: Path) -> None:
        self._good: dict[str, str] = dict(BESIDE)
        os.chdir(folder)
        for name, text in BESIDE.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
        write_sotopia(Path("sotopia"))
        run_command(["run", "k1.yaml", "--cast", "*=ada.yaml", "--db", "world.db"])
        (episode,) = json.loads(run_command(["episode", "list", "--db", "world.db", "--json"]).out)
        self._good["scores.csv"] = SCORES.format(episode=episode["id"], seat="cook")
        for kind in KINDS.values():
            self._good.setdefault(
                kind.file,
                Path(kind.file).read_text(encoding="utf-8") if Path(kind.file).exists() else "",
            )
            Path(kind.file).write_text(self._good[kind.file], encoding="utf-8")
        self._all_good(folder / "good")
        self._kinds = list(KINDS)
        self._weights = [kind.weight for kind in KINDS.values()]

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        """Damages one file, reads it by the commands of its kind, and puts it right again."""
        draw = chance("files", seed)
        name = draw.choices(self._kinds, self._weights)[0]
        kind = KINDS[name]
        Path(kind.file).write_bytes(mutated(draw, self._good[kind.file]))
        if kind.file == "scores.csv":
            shutil.copy("world.db", folder / "world.db")
        try:
            tell(f"{name}: reading {kind.file}")
            if kind is PAIRS:
                findings = read_pairs(Path(kind.file))
                return Outcome(counts={"files": 1}, findings=tuple(findings))
            findings, good = self._commands(name, kind.commands, folder, tell)
            if good and kind is SCENARIO:
                findings += self._commands(name, (SHOWN,), folder, tell)[0]
                if draw.random() < PLAYED:
                    findings += self._commands(
                        f"{name} played", (ACTED,), folder, tell, codes=(0, 1, 2)
                    )[0]
            if good and name.startswith("sotopia"):
                # What the importer writes is its own work, and so must be right.
                findings += self._commands(
                    f"{name} imported", (("scenario", "check", "%/out"),), folder, tell, codes=(0,)
                )[0]
        finally:
            Path(kind.file).write_text(self._good[kind.file], encoding="utf-8")
        return Outcome(
            counts={"files": 1, "of them still good": int(good)}, findings=tuple(findings)
        )

    def close(self) -> None:
        """Nothing was started."""

    def _all_good(self, folder: Path) -> None:
        """Reads every file whole; raises where one is not good. A learn file loads torch, and so
        waits for its case."""
        folder.mkdir()
        shutil.copy("world.db", folder / "world.db")
        for name, kind in KINDS.items():
            if (
                name != "learn"
                and not self._commands(name, kind.commands, folder, lambda _: None)[1]
            ):
                raise ValueError(f"the file that is to be damaged is not good: {kind.file}")
            shutil.rmtree(folder / "out", ignore_errors=True)

    def _commands(
        self,
        name: str,
        commands: Sequence[Sequence[str]],
        folder: Path,
        tell: Told,
        codes: Sequence[int] = (0, 2),
    ) -> tuple[list[Finding], bool]:
        findings: list[Finding] = []
        good = True
        for command in commands:
            tell(f"{name}: {' '.join(command)}")
            ran: Ran = run_command([word.replace("%", str(folder)) for word in command])
            findings += faults(ran, kind=f"{name}: {' '.join(command[:2])}", codes=codes)
            good = good and ran.code == 0
        return findings, good


def read_pairs(path: Path) -> list[Finding]:
    """What is wrong with how a file of pairs is read and judged; the judge's model is none."""

    def judged() -> None:
        spec, rubric = load_judge("smol-statements")[0], load_rubric("sotopia")
        sets = (load_pairs(path),)
        check_pair_dimensions(sets, rubric)
        check_judge(spec, FakeBackend(), rubric, sets)

    return refused(judged, "pairs: judge check")


def refused(do: Callable[[], object], kind: str) -> list[Finding]:
    """A finding where something ends in an exception that is not for people."""
    try:
        do()
    except InputError:
        return []
    except Exception as error:  # the boundary: recorded
        return [Finding(what=f"{kind}: traceback: {name_of(error)}", detail=repr(error))]
    return []
