"""The `steering:` block of an agent file, and the planner it names."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from agents.steering.checkpoint_folder import INFO_FILE, PlannerFolder, read_folder
from agents.steering.exploration_kinds import EXPLORATIONS
from simworld.core.errors import InputError, Problem
from simworld.core.requests import Position
from simworld.extensions import (
    ExtensionTable,
    check_pin,
    check_settings,
    drop_extension_fields,
    extension_name,
    pin_field,
    settings_field,
)
from simworld.yamlfile import Document, closest_match, load_yaml, shorten

_log = logging.getLogger(f"simworld.{__name__}")
MAX_NAMES_SHOWN = 10  # names in a message


RedrawInterval = Literal["turn", "episode"]


def _explorations() -> ExtensionTable[Any]:
    return EXPLORATIONS


class ExploreSpec(BaseModel):
    """How the agent tries something else than its planner says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, *extension_name(_explorations, EXPLORATIONS.builtin)] = Field(
        description=(
            "random: any direction, whatever the planner says; noise: the planner's action and"
            " noise; ways: one of the ways of replying that a latent up-mapping knows; or an"
            " installed extension's name, with its `settings`."
        )
    )
    sigma: PositiveFloat | None = Field(
        default=None, description="noise: its standard deviation for each coordinate of an action."
    )
    per: RedrawInterval = Field(
        default="turn", description="How often the random numbers are drawn."
    )
    settings: Any = settings_field()
    extension: str = pin_field()

    _settings = field_validator("settings", mode="before")(check_settings(_explorations, "kind"))
    _pin = field_validator("extension")(check_pin(_explorations, "kind"))

    @model_serializer(mode="wrap")
    def _without_extension(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves an extension out where there is none: agents keep their ids."""
        return drop_extension_fields(serialize(self))

    @model_validator(mode="after")
    def _sigma_is_for_noise(self) -> ExploreSpec:
        if self.kind == "noise" and self.sigma is None:
            raise ValueError("noise needs sigma, like 'sigma: 0.3'")
        if self.kind != "noise" and self.sigma is not None:
            kind = "random directions" if self.kind == "random" else self.kind
            raise ValueError(f"{kind} take no sigma; remove it, or write 'kind: noise'")
        return self


class SteeringSpec(BaseModel):
    """Which planner steers the agent, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    planner: str = Field(
        min_length=1,
        description="A checkpoint folder, beside this file, in the working folder or the library.",
    )
    position: Position | None = Field(
        default=None, description="Where the prefix goes; default: as trained."
    )
    act_norm: PositiveFloat | None = Field(
        default=None,
        description="The prefix's strength, in lengths of a token embedding; default: as trained.",
    )
    explore: ExploreSpec | None = Field(default=None, description="Default: the planner alone.")

    def content(self, planner: PlannerFolder) -> dict[str, Any]:
        """What decides how the agent is steered: the planner's id in place of its folder, defaults
        filled in.
        """
        info = planner.info
        return {
            "planner": planner.id,
            "position": self.position or info.position,
            "act_norm": self.act_norm or info.act_norm,
            "explore": self.explore.model_dump(mode="json") if self.explore else None,
        }


def find_checkpoint_folder(
    name: str, folders: Sequence[Path], library: Path, *, places: str
) -> Path:
    """The folder of a checkpoint's name, looked up in these folders, then in the library; `places`
    says which these are. Raises InputError.
    """
    folders = (*folders, library)
    folder = next(
        (path for search_folder in folders if os.path.isdir(path := search_folder / name)), None
    )
    if folder is None:
        raise InputError(
            f"no checkpoint folder '{shorten(name)}' {places}" + _suggestion(name, folders, library)
        )
    return folder


def find_planner(spec: SteeringSpec, document: Document, library: Path) -> PlannerFolder:
    """The planner of an agent's file, looked up beside that file, in the working folder, then in
    the library. Raises InputError.
    """
    folders = (Path(document.name).parent, Path())
    try:
        folder = find_checkpoint_folder(
            spec.planner,
            folders,
            library,
            places="beside this file, in the working folder or the library",
        )
    except InputError as error:
        raise InputError([document.problem(("steering", "planner"), str(error))]) from None
    _log.info("planner %r is in %s", spec.planner, folder)
    planner = read_folder(folder)
    if problem := _policy_problem(spec, planner, document):
        raise InputError([problem])
    return planner


def _suggestion(name: str, search_folders: Sequence[Path], library: Path) -> str:
    """What may have been meant: the planner of the agent of that name, a name like it, or else what
    there is.
    """
    agent = library / f"{Path(name).stem}.yaml"
    if os.path.isfile(agent):
        steering = load_yaml(agent).data.get("steering")
        if steering:
            return f"; '{agent.stem}' is an agent, and its planner is '{steering['planner']}'"
        return f"; '{agent.stem}' is an agent without steering; there are" + (
            f" {_list_checkpoints(search_folders)}"
        )
    names = _checkpoint_names(search_folders)
    by_end = {path.rpartition("/")[2]: path for path in reversed(names)}
    close = closest_match(name, names) or by_end.get(closest_match(Path(name).name, by_end) or "")
    if close is None and (
        alias := closest_match(Path(name).stem, [path.stem for path in library.glob("*.yaml")])
    ):
        return _suggestion(alias, search_folders, library)
    return (
        f"; did you mean '{close}'?"
        if close
        else f"; there are {_list_checkpoints(search_folders)}"
    )


def _list_checkpoints(search_folders: Sequence[Path]) -> str:
    names = _checkpoint_names(search_folders)
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (
        f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    )


def _checkpoint_names(search_folders: Sequence[Path]) -> list[str]:
    """The checkpoint folders of these places and one folder further down, as a file names them."""
    folders: dict[str, None] = {}
    for search_folder in search_folders:
        for info in (
            *sorted(search_folder.glob(f"*/{INFO_FILE}")),
            *sorted(search_folder.glob(f"*/*/{INFO_FILE}")),
        ):
            folders[info.parent.relative_to(search_folder).as_posix()] = None
    return list(folders)


def _policy_problem(
    spec: SteeringSpec, planner: PlannerFolder, document: Document
) -> Problem | None:
    kind = None if spec.explore is None else spec.explore.kind
    if kind == "ways" and not planner.info.ways:
        message = (
            "this checkpoint has no ways of replying to try; make one with `simworld train latent`"
        )
        return document.problem(("steering", "explore"), message)
    if planner.info.has_policy:
        return None
    if kind is not None and not EXPLORATIONS.find(kind).declaration.needs_planner:
        return None
    message = (
        "this checkpoint is an up-mapping without a trained planner; add 'explore: {kind: random}',"
        " or train one"
    )
    return document.problem(("steering", "planner"), message)
