"""Old names that are still accepted: one warning, with the new name and the version."""

from __future__ import annotations

import warnings

import pytest

import simworld
from simworld.core.errors import InputError
from simworld.deprecation import (
    RenamedWarning,
    renamed_arguments,
    renamed_function,
    renamed_keys,
    warn_renamed,
)


@renamed_arguments({"live": "max_live"}, removed_in="0.3.0")
def play(name: str, *, max_live: int = 1) -> str:
    return f"{name}, {max_live}"


def test_an_old_argument_is_taken_with_a_warning_at_the_caller() -> None:
    with pytest.warns(RenamedWarning) as told:
        assert play("x", live=3) == "x, 3"  # type: ignore[call-arg]
    (warning,) = told
    assert str(warning.message) == (
        "argument 'live' of play() is called 'max_live' now; the old name goes in simworld 0.3.0"
    )
    assert warning.filename == __file__
    assert play("x", max_live=3) == "x, 3"  # without one, or it would be an error here


def test_a_place_is_told_once() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")  # what Python does by itself
        for _ in range(3):
            play("x", live=3)  # type: ignore[call-arg]
    assert len(told) == 1


def test_both_names_at_once_are_two_values() -> None:
    with pytest.raises(TypeError, match=r"play\(\) got the argument 'max_live' twice, also as 'li"):
        play("x", live=3, max_live=4)  # type: ignore[call-arg]


def test_an_old_function_does_what_the_new_one_does() -> None:
    old = renamed_function("start", play, removed_in="1.0")
    with pytest.warns(RenamedWarning, match=r"^start\(\) is called play\(\) now; .* 1\.0$") as told:
        assert old("y", max_live=2) == "y, 2"
    assert told[0].filename == __file__


def test_old_keys_of_a_file() -> None:
    with pytest.warns(RenamedWarning, match="^a.yaml: key 'rate' is called 'lr' now") as told:
        renamed = renamed_keys(
            {"rate": 1, "x": 2}, {"rate": "lr", "y": "z"}, where="a.yaml", removed_in="0.3.0"
        )
    assert renamed == {"lr": 1, "x": 2}
    assert told[0].filename == __file__
    with pytest.raises(InputError, match=r"a\.yaml: rate and lr are one key; keep lr"):
        renamed_keys({"rate": 1, "lr": 2}, {"rate": "lr"}, where="a.yaml", removed_in="0.3.0")


def test_a_warning_of_ones_own() -> None:
    with pytest.warns(RenamedWarning, match="^x is called y now") as told:
        _use_old()
    assert told[0].filename == __file__


def _use_old() -> None:
    warn_renamed("x", "y", removed_in="2.0")


def test_arguments_of_version_0_1_are_still_taken() -> None:
    with pytest.warns(RenamedWarning, match="'live' of play_jobs"):
        assert list(simworld.play_jobs([], {}, live=2)) == []  # type: ignore[call-arg]
    with (
        pytest.warns(RenamedWarning, match="'threads' of load_backend"),
        pytest.raises(simworld.ModelError, match="cpu_threads is 0; it must be at least 1"),
    ):
        simworld.load_backend("builtin:smollm2-135m-instruct", threads=0)  # type: ignore[call-arg]
