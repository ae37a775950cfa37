"""Scores that people gave, read from a CSV file and stored as judgements of one more judge."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scenarios.rubrics import load_rubric, scenario_rubric
from simworld.core.episode import Ending
from simworld.core.errors import InputError, Problem
from simworld.core.judgement import Judgement, JudgementStatus, Rubric, Verdict
from simworld.yamlfile import did_you_mean
from simworld.yamlfile.source_text import read_source_text
from store import Store, StoredEpisode

MAX_BYTES = 64 * 1024 * 1024
COLUMNS = ("episode", "seat", "dimension", "score")
OPTIONAL_COLUMNS = ("reasoning",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRatings:
    """What a ratings file added to the store."""

    judge_ids: tuple[str, ...]  # one per rubric
    added: int  # judgements
    already: int  # judgements that were there before, the same
    verdicts: int  # in the file


@dataclass(slots=True, kw_only=True)
class _RatedEpisode:
    """One episode with the verdicts that the file gives it."""

    stored: StoredEpisode
    rubric: Rubric
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)  # by seat and dimension


def import_ratings(store: Store, path: Path, rater: str, *, rubric: str = "") -> ImportedRatings:
    """Stores a person's scores; the same file again changes nothing.

    Args:
        store: where the episodes are.
        path: a CSV file with the columns episode (an id or its beginning), seat, dimension, score
            and, if wanted, reasoning.
        rater: the person's name; one judge for each rubric.
        rubric: a rubric's name or file; default: that of each episode's scenario.

    Raises:
        InputError: everything wrong with the file, each with its line; then nothing is stored.
        StoreError: the database cannot take a judgement; those before it are stored.
    """
    problems = list(_rater_problems(store, rater))
    episodes = _RatingsReader(store, rubric).read(path, problems)
    rubrics = {rated.rubric.id: rated.rubric for rated in episodes.values()}
    judgements = [
        _make_judgement(rated, human_judge_id(rater, rated.rubric)) for rated in episodes.values()
    ]
    new_judgements = []
    for judgement in judgements:
        stored_judgements = [
            stored.judgement
            for stored in store.judgements(judgement.episode_id)
            if stored.judgement.judge_id == judgement.judge_id
        ]
        if not stored_judgements:
            new_judgements.append(judgement)
        elif _score_by_key(stored_judgements[0]) != _score_by_key(judgement):
            message = (
                f"{rater} has scored episode {judgement.episode_id} otherwise before; give another"
                " --rater name"
            )
            problems.append(Problem(message, str(path)))
    if problems:
        raise InputError(problems)
    for each in rubrics.values():
        store.add_judge(human_judge_id(rater, each), rater, human_record(rater, each))
    dimensions = {(each.id, d.name): d for each in rubrics.values() for d in each.dimensions}
    for judgement in new_judgements:
        shares = {
            (v.seat, v.dimension): dimensions[judgement.rubric_id, v.dimension].rescale(v.score)
            for v in judgement.verdicts
        }
        store.add_judgement(judgement, shares)
    return ImportedRatings(
        judge_ids=tuple(human_judge_id(rater, each) for each in rubrics.values()),
        added=len(new_judgements),
        already=len(judgements) - len(new_judgements),
        verdicts=sum(len(judgement.verdicts) for judgement in judgements),
    )


def human_judge_id(rater: str, rubric: Rubric) -> str:
    """`name@` and 64 bits of the SHA-256 of name and rubric."""
    text = json.dumps({"kind": "human", "name": rater, "rubric": rubric.id}, sort_keys=True)
    return f"{rater}@{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def human_record(rater: str, rubric: Rubric) -> dict[str, Any]:
    """The rater as plain JSON data, in the form of any judge's."""
    dimensions = [asdict(d) for d in rubric.dimensions]
    return {
        "spec": {"kind": "human", "name": rater},
        "model": None,
        "rubric": {"id": rubric.id, "name": rubric.name, "dimensions": dimensions},
    }


class _RatingsReader:
    """Reads rows against a store, and keeps what it has looked up."""

    def __init__(self, store: Store, rubric: str) -> None:
        self._store, self._rubric_name = store, rubric
        # as written → what it is, or what is wrong with it
        self._episodes: dict[str, _RatedEpisode | str] = {}
        self._rubric: Rubric | None = None

    def read(self, path: Path, problems: list[Problem]) -> dict[str, _RatedEpisode]:
        """Episode id → what the file says of it; what is wrong is added to the problems."""
        rated_episodes: dict[str, _RatedEpisode] = {}
        for line, row in _read_rows(path, problems):
            rated = self._rated_episode(row["episode"])
            verdict = rated if isinstance(rated, str) else _parse_verdict(rated, row)
            if isinstance(rated, str) or isinstance(verdict, str):
                problems.append(Problem(str(verdict), f"{path}:{line}"))
            else:
                rated.verdicts[verdict.seat, verdict.dimension] = verdict
                rated_episodes[rated.stored.id] = rated
        return rated_episodes

    def _rated_episode(self, written: str) -> _RatedEpisode | str:
        if written not in self._episodes:
            try:
                stored = self._store.episode(written.lower(), vectors=False)
                same_episode = (
                    rated
                    for rated in self._episodes.values()
                    if isinstance(rated, _RatedEpisode) and rated.stored.id == stored.id
                )
                self._episodes[written] = next(same_episode, None) or self._open_episode(stored)
            except InputError as error:
                self._episodes[written] = str(error)
        return self._episodes[written]

    def _open_episode(self, stored: StoredEpisode) -> _RatedEpisode | str:
        if stored.episode.ending is Ending.failed:
            return f"episode {stored.id} failed, so there is nothing to score"
        if not self._rubric_name:
            scenario = self._store.scenario(stored.episode.scenario_id)
            return _RatedEpisode(stored=stored, rubric=scenario_rubric(scenario))
        if self._rubric is None:
            self._rubric = load_rubric(self._rubric_name)
        return _RatedEpisode(stored=stored, rubric=self._rubric)


def _read_rows(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and cells of each row, stripped; a file that is none gives no row."""
    try:
        text = read_source_text(path, MAX_BYTES)
    except InputError as error:
        problems += error.problems
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    row_count = 0
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        unknown = set(names) - {*COLUMNS, *OPTIONAL_COLUMNS}
        if unknown or not set(COLUMNS) <= set(names) or len(set(names)) < len(names):
            shown = ", ".join(names) or "none"
            message = (
                f"found the columns {shown}; expected {', '.join(COLUMNS)} and, if wanted,"
                " reasoning"
            )
            problems.append(Problem(message, f"{path}:1"))
            return
        reader.fieldnames = names
        for row in reader:
            row_count += 1
            if "" in row or None in row.values():
                message = f"found another number of cells than the {len(names)} columns"
                problems.append(Problem(message, f"{path}:{reader.line_num}"))
            else:
                yield reader.line_num, {name: value.strip() for name, value in row.items()}
    except csv.Error as error:
        problems.append(Problem(f"not CSV: {error}", f"{path}:{reader.reader.line_num}"))
        return
    if not row_count:
        problems.append(Problem("found no scores", str(path)))


def _parse_verdict(rated: _RatedEpisode, row: Mapping[str, str]) -> Verdict | str:
    """The verdict of a row, or everything that is wrong with it."""
    problems = []
    seats = list(rated.stored.episode.cast)
    if row["seat"] not in seats:
        hint = did_you_mean(row["seat"], seats) or f"; there are {', '.join(seats)}"
        problems.append(f"no seat {row['seat']!r} in episode {rated.stored.id}{hint}")
    dimensions = {d.name: d for d in rated.rubric.dimensions}
    dimension = dimensions.get(row["dimension"])
    if dimension is None:
        hint = did_you_mean(row["dimension"], dimensions) or f"; there are {', '.join(dimensions)}"
        problems.append(f"no dimension {row['dimension']!r} in rubric {rated.rubric.name}{hint}")
    try:
        score = float(row["score"])
    except ValueError:
        score = math.nan
    low, high = (dimension.low, dimension.high) if dimension else (-math.inf, math.inf)
    if not (math.isfinite(score) and low <= score <= high):
        range_text = f" from {low:g} to {high:g}" if dimension else ""
        problems.append(f"score {row['score']!r}: expected a number{range_text}")
    if not problems and (row["seat"], row["dimension"]) in rated.verdicts:
        problems.append(
            f"a second score of {row['dimension']} for {row['seat']} in episode {rated.stored.id}"
        )
    if problems:
        return "; ".join(problems)
    seat, reasoning = row["seat"], row.get("reasoning", "")
    return Verdict(seat=seat, dimension=row["dimension"], score=score, reasoning=reasoning)


def _rater_problems(store: Store, rater: str) -> Iterator[Problem]:
    if not (rater.strip() and rater.isprintable()):
        yield Problem(f"--rater {rater!r}: expected a name, without control characters")
    non_human_judges = [
        judge
        for judge in store.judges()
        if judge.name == rater and judge.spec.get("spec", {}).get("kind") != "human"
    ]
    if non_human_judges:
        yield Problem(
            f"--rater {rater!r} is the name of a judge that is no person; give another name"
        )


def _make_judgement(rated: _RatedEpisode, judge_id: str) -> Judgement:
    verdicts = sorted(
        rated.verdicts.values(), key=lambda verdict: (verdict.seat, verdict.dimension)
    )
    return Judgement(
        episode_id=rated.stored.id,
        judge_id=judge_id,
        sample=0,
        status=JudgementStatus.ok,
        rubric_id=rated.rubric.id,
        verdicts=tuple(verdicts),
    )


def _score_by_key(judgement: Judgement) -> dict[tuple[str, str], float]:
    return {(verdict.seat, verdict.dimension): verdict.score for verdict in judgement.verdicts}
