"""Judge specs: YAML in, a JudgeSpec out. Built in by name, or any file."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agents.lm.load import backend_settings_problems, check_model_spec
from agents.lm.no_backend import NO_MODEL
from agents.lm.server.address import is_server_model
from agents.lm.server.options import ServerFields, drop_unhashed_fields
from scenarios.rubrics import SUFFIXES
from simworld.core.errors import InputError, ModelError
from simworld.core.judgement import Rubric
from simworld.core.requests import ModelInfo
from simworld.extensions import (
    ExtensionTable,
    check_pin,
    check_settings,
    drop_extension_fields,
    extension_name,
    pin_field,
    settings_field,
)
from simworld.judging.prompts import PROMPTS_VERSION
from simworld.judging.transcript import CONTEXT_PARTS, ContextPart
from simworld.yamlfile import (
    Document,
    data_document,
    did_you_mean_file,
    load_text,
    load_yaml,
    parse,
    shorten,
)

_log = logging.getLogger(__name__)
DEFAULT_JUDGE = "smol-statements"
BUILTIN_METHODS = ("statements", "answers", "server")
ANY_DIMENSION = "every"  # the calibration of dimensions that have none of their own


def _methods() -> ExtensionTable[Any]:
    from simworld.judging.judge_methods import JUDGE_METHODS  # they judge by specs

    return JUDGE_METHODS


class Calibration(BaseModel):
    """How log-odds x become a score: low + (high − low) · sigmoid(a·x + b)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    a: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    b: float = Field(default=0.0, allow_inf_nan=False)


class JudgeSpec(ServerFields):
    """How a judge judges; everything that shapes what it says is part of its id."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str = ""
    model: str = Field(
        min_length=1, description="builtin:…, hf:…, or openai:<model>@<url> (server method only)"
    )
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    method: Annotated[str, *extension_name(_methods, BUILTIN_METHODS)]
    rubric: str = Field(
        default="", description="a rubric's name or file; empty: the scenario's own"
    )
    head: tuple[ContextPart, ...] = Field(
        default=CONTEXT_PARTS, description="what the judge knows besides the dialogue"
    )
    # statements
    ask: str = Field(
        default="", description="statements: what stands between the dialogue and the statement"
    )
    prior: bool = Field(
        default=True, description="statements: take off the log-odds without the dialogue"
    )
    # answers
    answers: Literal["digits", "yes-no"] = Field(
        default="digits", description="answers: what the answer tokens are"
    )
    chat: bool = Field(default=False, description="answers: ask through the model's chat template")
    # local methods
    calibration: Mapping[str, Calibration] = Field(
        default_factory=dict,
        description=f"per dimension, or '{ANY_DIMENSION}'; statements and yes-no",
    )
    # server
    one_call: bool = Field(
        default=False, description="server: all dimensions in one call instead of one call each"
    )
    temperature: float = Field(default=0.0, ge=0, le=5, description="server")
    max_new_tokens: int = Field(default=800, ge=16, le=100_000, description="server: of one reply")
    reasks: int = Field(
        default=2,
        ge=0,
        le=20,
        description="server: how often a reply that cannot be used is asked again",
    )
    samples: int = Field(
        default=1, ge=1, le=1000, description="judgements per episode, each from a seed of its own"
    )
    settings: Any = settings_field()
    extension: str = pin_field()

    _settings = field_validator("settings", mode="before")(check_settings(_methods, "method"))
    _pin = field_validator("extension")(check_pin(_methods, "method"))

    def calibration_for(self, dimension: str) -> Calibration:
        """The calibration of a dimension, else of every one, else x itself."""
        default = self.calibration.get(ANY_DIMENSION) or Calibration()
        return self.calibration.get(dimension, default)

    def content(self) -> dict[str, Any]:
        """The spec as JSON data that is stored, without how a server is reached and waited for."""
        return drop_extension_fields(drop_unhashed_fields(self.model_dump(mode="json")))

    def id(self, info: ModelInfo, rubric: Rubric) -> str:
        """`name@` and 64 bits of the SHA-256 of model, method, prompts, rubric and calibration."""
        unhashed = {"name", "title", "model", "dtype", "rubric", "samples"}
        content = {
            "spec": {name: value for name, value in self.content().items() if name not in unhashed},
            "model": info.id,
            "dtype": info.dtype,
            "rubric": rubric.id,
            "prompts": PROMPTS_VERSION,
        }
        text = json.dumps(content, sort_keys=True)
        return f"{self.name}@{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def builtin_judges() -> tuple[str, ...]:
    """The names of the shipped judges, sorted."""
    names = (path.name for path in _judges_folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_judge(name: str) -> tuple[JudgeSpec, str]:
    """The judge of a name or a file, and where it is from; its rubric file may lie beside it.

    Raises:
        InputError: there is no such judge, or its file is wrong; every problem with its place.
    """
    if name in builtin_judges():
        _log.info("judge %r is a shipped one", name)
        text = (_judges_folder() / f"{name}.yaml").read_text("utf-8")
        return _parse_spec(load_text(text, f"{name}.yaml")), "built in"
    if not name.endswith(SUFFIXES):
        known = builtin_judges()
        hint = did_you_mean_file(name, "judges", known=known) or f"; there are {', '.join(known)}"
        raise InputError(
            f"no judge named {name!r}{hint} (a judge of your own is named by its .yaml file)"
        )
    path = Path(name)
    if not os.path.lexists(path):
        hint = (
            did_you_mean_file(name, "judges", known=builtin_judges())
            or "; `simworld judge new NAME` writes one"
        )
        raise InputError(f"no judge file {shorten(name)}{hint}")
    _log.info("judge %r is in %s", name, path)
    spec = _parse_spec(load_yaml(path))
    rubric_path = path.parent / spec.rubric
    # also where the name is too long for a file
    if spec.rubric.endswith(SUFFIXES) and os.path.isfile(rubric_path):
        spec = spec.model_copy(update={"rubric": str(rubric_path)})
    return spec, str(path)


def check_judge(spec: JudgeSpec) -> None:
    """Refuses a spec that was made in Python as the same one in a file. Raises InputError."""
    with data_document(spec.model_dump(mode="json"), f"judge {spec.name!r}") as document:
        _check_spec(spec, document)


def _parse_spec(document: Document) -> JudgeSpec:
    data = document.data
    if isinstance(data, dict) and "model" not in data and _asks_no_model(data.get("method")):
        data = {**data, "model": NO_MODEL}
    spec = parse(document, JudgeSpec, data=data)
    _check_spec(spec, document)
    return spec


def _check_spec(spec: JudgeSpec, document: Document) -> None:
    if spec.model == NO_MODEL and _asks_no_model(spec.method):
        return
    on_server = is_server_model(spec.model)
    problems = [] if on_server else spec.server_only_problems(document)
    problems += backend_settings_problems(spec.model, spec.backend, document)
    try:
        check_model_spec(spec.model)
    except ModelError as error:
        problems.append(document.problem(("model",), str(error)))
    if on_server and spec.method in ("statements", "answers"):
        message = (
            f"found {spec.method!r}: a server gives no log-probabilities of a text; expected"
            " 'server'"
        )
        problems.append(document.problem(("method",), message))
    if spec.method == "statements" and spec.prior and not (spec.head or spec.ask):
        message = (
            "without head and ask there is nothing to read but the dialogue; add one of them, or"
            " write 'prior: false'"
        )
        problems.append(document.problem(("prior",), message))
    if problems:
        raise InputError(problems)


def _asks_no_model(method: object) -> bool:
    try:
        return not _methods().find(method).declaration.asks_model
    except InputError:  # which parsing reports, with its place
        return False


def _judges_folder() -> Traversable:
    return resources.files("simworld.judging") / "judges"
