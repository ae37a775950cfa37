"""Episodes and judgements over HTTP with canaries in all that is private: nobody may read what is
not theirs.

Each seat's goal, knowledge and secret, each whisper and each thought carries a word that occurs
nowhere else. The server keeps every prompt; afterwards prompts and database are searched for words
where they must not be.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from tests.campaign.command import faults, run_command
from tests.campaign.part import Finding, Outcome, Told, chance
from tests.campaign.server import Said, Server, serving
from tests.campaign.speech import Speaker, speak

CANARY = re.compile(r"qx(goal|knows|secret|private|thought|notion)[0-9a-f]{10}z")
NAMES = ("Ann Lee", "Ben Ek", "Cleo Fox", "Dov Katz")
SEATS = ("host", "guest", "friend", "child")
FAULTY = 0.3  # of the requests
REPEATS = 40  # episodes of a case
ENDINGS = ("terminated", "turn_limit", "failed")
BOUNDARIES = ("model", "reply", "judge")


class Table:
    """Who sits at the table of a case, its canaries and who may see them, and what its models
    say."""

    def __init__(self, seed: int) -> None:
        self._draw = chance("canaries", seed)
        self._seed = seed
        self._lock = threading.Lock()
        self.allowed: dict[str, frozenset[str]] = {}  # canary → seats that may see it
        self.form: dict[str, str] = {}  # canary → how it was said
        count = self._draw.choice((2, 3, 3, 4))
        self.seats = dict(zip(SEATS[:count], NAMES, strict=False))
        private = ("goal", "knows", "secret")
        self.own = {
            seat: {kind: self.hide(kind, frozenset({seat}), "as given") for kind in private}
            for seat in self.seats
        }

    def scenario(self) -> str:
        """The scenario's file."""
        relationship = self._draw.choice(
            ("stranger", "know_by_name", "acquaintance", "friend", "family_member")
        )
        seats = [
            {
                "name": seat,
                "persona": {"name": name, "age": 30, "occupation": "baker"},
                "goal": f"Get the cake, as {self.own[seat]['goal']} says.",
                "knows": f"You know {self.own[seat]['knows']}.",
                "secret": f"You hide {self.own[seat]['secret']}.",
            }
            for seat, name in self.seats.items()
        ]
        order = self._draw.choice(("round-robin", "round-robin", "random", "simultaneous"))
        whole = {
            "name": "table",
            "setting": "One cake is left.",
            "relationship": relationship,
            "seats": seats,
            "order": order,
            "limits": {"turns": 6},
        }
        return yaml.safe_dump(whole, sort_keys=False)

    def say(self, body: Mapping[str, Any]) -> Said:
        """The model's answer: a verdict where a schema asks for one, else what a seat says."""
        prompt = text_of(body)
        draw = random.Random(f"{self._seed} {prompt} {body.get('seed')}")
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        if body["model"] == "judge":
            verdict = json.dumps(from_schema(schema or {}, draw))
            thought = self.hide("notion", frozenset(), "a judge's thought", draw)
            return Said(
                text=draw.choice(
                    (
                        verdict,
                        verdict,
                        f"<think>{thought} {{maybe}}</think>\n{verdict}",
                        f"{thought}\n</think>{verdict}",
                    )
                )
            )
        seat = self.speaker(prompt)
        if seat is None:
            return Said(text="Well.")
        others = {name: other for other, name in self.seats.items() if other != seat}
        speaker = Speaker(
            name=self.seats[seat], seat=seat, secret=self.own[seat]["secret"], others=others
        )

        def hide(kind: str, seats: frozenset[str], form: str) -> str:
            return self.hide(kind, seats, form, draw)

        return speak(draw, speaker, hide)

    def speaker(self, prompt: str) -> str | None:
        """The one seat whose goal stands in a prompt; None where there is not exactly one."""
        found = [seat for seat, own in self.own.items() if own["goal"] in prompt]
        return found[0] if len(found) == 1 else None

    def leaks(self, bodies: list[Mapping[str, Any]]) -> Iterator[Finding]:
        """Prompts that hold what they must not."""
        for body in bodies:
            prompt = text_of(body)
            judge = body["model"] == "judge"
            seat = None if judge else self.speaker(prompt)
            if not judge and seat is None:
                yield Finding(what="a prompt shows not exactly one goal", detail=prompt)
            for match in CANARY.finditer(prompt):
                kind = match[1]
                if judge and kind == "thought":
                    what = "a thought in a judge's prompt"
                elif not judge and seat not in self.allowed[match[0]]:
                    what = f"a {kind} of another in a prompt"
                else:
                    continue
                yield self.found(what, match[0], f"at {seat}: {prompt}")

    def found(self, what: str, canary: str, detail: str) -> Finding:
        """A canary where it must not be, with how it was said."""
        return Finding(what=f"{what}, said as {self.form[canary]!r}", detail=f"{canary}: {detail}")

    def hide(
        self, kind: str, seats: frozenset[str], form: str, draw: random.Random | None = None
    ) -> str:
        """A new canary of a kind, for the seats that may see it, said in this form."""
        canary = f"qx{kind}{(draw or self._draw).getrandbits(40):010x}z"
        with self._lock:
            self.allowed[canary] = seats
            self.form[canary] = form
        return canary


class Canaries:
    """The part; each case plays and judges one table's episodes against a server with faults."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        """Plays, judges, and searches."""
        table = Table(seed)
        with serving(Server(table.say, seed=seed, share=FAULTY)) as server:
            (folder / "table.yaml").write_text(table.scenario(), encoding="utf-8")
            (folder / "actor.yaml").write_text(
                f"name: actor\nmodel: openai:actor@{server.url}\nprompt:"
                f" {('script', 'chat')[seed % 2]}\nreasks: 2\n",
                encoding="utf-8",
            )
            one_call = "true" if seed % 4 else "false"
            judge = (
                f"name: judge\nmodel: openai:judge@{server.url}\nmethod: server\none_call:"
                f" {one_call}\nreasks: 1\n"
            )
            (folder / "judge.yaml").write_text(judge, encoding="utf-8")
            database = folder / "world.db"
            tell("run")
            patience = ("--timeout", "1", "--retries", "3", "--concurrency", "40", "--live", "40")
            play = (
                "run",
                f"{folder}/table.yaml",
                "--cast",
                f"*={folder}/actor.yaml",
                "--repeats",
                str(REPEATS),
                "--db",
                str(database),
                *patience,
            )
            played = run_command(play)
            findings = faults(played, kind="run", codes=(0, 1))
            tell("judge run")
            judged = run_command(
                ("judge", "run", "--judge", f"{folder}/judge.yaml", "--db", str(database))
            )
            findings += faults(judged, kind="judge run", codes=(0,))
            bodies = list(server.seen)
        findings += table.leaks(bodies)
        if not database.exists():
            return Outcome(
                findings=tuple(
                    by_kind([*findings, Finding(what="no database was made", detail=played.err)])
                )
            )
        findings += in_store(database, table)
        found, counts = ends(database)
        counts["prompts searched"] = len(bodies)
        return Outcome(counts=counts, findings=tuple(by_kind([*findings, *found])))

    def close(self) -> None:
        """Nothing is left over: each case stops its server."""


def ends(database: Path) -> tuple[list[Finding], dict[str, int]]:
    """What is wrong with how episodes and judgements ended, and how many there are."""
    findings: list[Finding] = []
    with closing(sqlite3.connect(database)) as file:
        episodes = file.execute(
            "SELECT ending, failure_boundary, failure_kind FROM episodes"
        ).fetchall()
        judgements = file.execute(
            "SELECT status, failure_boundary, failure_kind FROM judgements"
        ).fetchall()
    if len(episodes) != REPEATS:
        findings.append(
            Finding(what="episodes are missing", detail=f"{len(episodes)} of {REPEATS}")
        )
    played = sum(ending != "failed" for ending, _, _ in episodes)
    if len(judgements) != played:
        findings.append(
            Finding(what="judgements are missing", detail=f"{len(judgements)} of {played}")
        )
    for ending, boundary, kind in [*episodes, *judgements]:
        if ending == "failed" and boundary not in BOUNDARIES:
            findings.append(Finding(what=f"failed at the boundary {boundary}: {kind}"))
        if ending not in (*ENDINGS, "ok"):
            findings.append(Finding(what=f"ended as {ending}"))
    failed = [sum(ending == "failed" for ending, *_ in rows) for rows in (episodes, judgements)]
    counts = {
        "episodes": len(episodes),
        "of them failed as they should": failed[0],
        "judgements": len(judgements),
        "of them failed": failed[1],
    }
    return findings, counts


def in_store(database: Path, table: Table) -> list[Finding]:
    """Words in stored speech and verdicts that must not be there."""
    findings: list[Finding] = []
    with closing(sqlite3.connect(database)) as file:
        acts = file.execute("SELECT seat, text, recipients, raw FROM acts").fetchall()
        said = [
            (text, "a text for search")
            for (text,) in file.execute("SELECT text FROM episode_texts")
        ]
        said += [
            (text, "a judge's reason") for (text,) in file.execute("SELECT reasoning FROM verdicts")
        ]
        said += [(text or "", "a check") for (text,) in file.execute("SELECT text FROM checks")]
    for seat, text, recipients, raw in acts:
        heard = frozenset(json.loads(recipients)) or frozenset(table.seats)
        for match in CANARY.finditer(text):
            kind = match[1]
            if (
                kind == "private"
                and json.loads(recipients)
                and heard | {seat} <= table.allowed[match[0]]
            ):
                continue
            to = "some" if json.loads(recipients) else "all"
            findings.append(
                table.found(
                    f"a {kind} spoken to {to}",
                    match[0],
                    f"{seat} to {recipients}: {text}\nraw: {raw}",
                )
            )
    for text, where in said:
        for match in CANARY.finditer(text):
            if match[1] in ("thought", "notion"):
                findings.append(table.found(f"a thought in {where}", match[0], text))
    return findings


def text_of(body: Mapping[str, Any]) -> str:
    """All messages of a request, as one text."""
    return "\n".join(f"{message['role']}: {message['content']}" for message in body["messages"])


def from_schema(schema: Mapping[str, Any], draw: random.Random) -> Any:
    """Something that fits a JSON schema."""
    if "enum" in schema:
        return draw.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return {
                name: from_schema(inner, draw)
                for name, inner in schema.get("properties", {}).items()
            }
        case "integer":
            return draw.randint(schema.get("minimum", 0), schema.get("maximum", 5))
        case "number":
            return draw.uniform(schema.get("minimum", 0), schema.get("maximum", 1))
        case "string":
            return "because"
    return None


def by_kind(findings: list[Finding]) -> list[Finding]:
    """The first of each kind: a leak shows in many prompts."""
    return list({finding.what: finding for finding in reversed(findings)}.values())
