"""Whether the settings of an extension can be written into a file and read back."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from simworld.testing.agents import NotConforming


def check_settings_model(settings: BaseModel) -> None:
    """Raises NotConforming for settings that take unknown keys, or are not what they were after
    they were written and read.
    """
    model = type(settings)
    if model.model_config.get("extra") != "forbid":
        raise NotConforming(
            f"{model.__name__} takes unknown keys, so nobody is told of a misspelt one: add"
            " `model_config = ConfigDict(extra='forbid')`"
        )
    try:
        read = model.model_validate_json(settings.model_dump_json(), strict=True)
    except ValidationError as error:
        raise NotConforming(
            f"{model.__name__} cannot be read back as it is written: {error.errors()[0]['msg']}"
        ) from None
    if read != settings:
        raise NotConforming(f"{model.__name__} is another one when it is read back: {read!r}")
