"""Whatever stands in a file, it loads or every problem is one line with its place: no traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios import import_sotopia
from simworld.core.errors import InputError
from tests.scenarios.parsing import parse_scenario

GOOD: dict[str, Any] = {
    "name": "x",
    "family": "f",
    "tags": ["t"],
    "setting": "It costs {{price}}.",
    "relationship": "friend",
    "relationships": [{"between": ["a", "b"], "is": "stranger"}],
    "seats": [
        {
            "name": "a",
            "persona": {"name": "Ann", "age": 3},
            "goal": "G",
            "knows": "k",
            "secret": "s",
        },
        {"name": "b", "persona": "nadia-brandt", "goal": "pay {{price}}"},
    ],
    "limits": {"turns": "{{turns}}", "silence": 2},
    "checks": [
        {
            "name": "c",
            "kind": "number",
            "pattern": "(\\d+)",
            "between": [1, "{{price}}"],
            "last": True,
            "by": "a",
        },
        {"name": "d", "kind": "keyword", "words": ["w"], "absent": True},
        {"name": "e", "kind": "regex", "pattern": "w", "ends": True},
    ],
    "meta": {"m": "v"},
    "parameters": {"price": 4, "turns": 3},
    "matrix": {"price": [2, 3.5]},
}
SOURCES: dict[str, Any] = {
    "environments": {
        "E": {
            "pk": "E", "codename": "c", "source": "s", "scenario": "S <p viewer='environment'>x</p>", "relationship": 1,
            "agent_goals": ["g (<extra_info>e</extra_info>)", "h"], "agent_constraint": None,
        }
    },
    "agents": {key: {"pk": key, "first_name": key, "age": 4, "moral_values": ["m"], "secret": "z"} for key in ("A", "B")},
    "environment_agent_combos": [{"pk": "C", "env_id": "E", "agent_ids": ["A", "B"]}],
}  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["{{price}}", "{{", "{{nope}}", "a", "b", "number", "regex", "(", "friend", "../x", "<p>", "</p>", "E", "A"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "is", "kind", "x", "between"]), inner),
    max_leaves=5,
)  # fmt: skip


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [at, *(place for key, value in children for place in places(value, (*at, key)))]


@st.composite
def changed(draw: st.DrawFn, good: dict[str, Any]) -> Any:
    data: Any = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(data)))
        if not path:
            continue
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = draw(values)
        else:
            del holder[path[-1]]
    return data


@settings(max_examples=150, deadline=None)
@given(changed(GOOD))
def test_any_change_of_a_good_scenario(data: Any) -> None:
    text = json.dumps(data).replace("Infinity", ".inf").replace("NaN", ".nan")
    problems: tuple[object, ...] = ()
    try:
        parse_scenario(text, "x.yaml")
    except InputError as error:
        problems = error.problems
    for problem in map(str, problems):
        assert problem.startswith("x.yaml:1:")
        assert "\n" not in problem


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changed(SOURCES))
def test_any_change_of_good_sotopia_files(tmp_path: Path, data: Any) -> None:
    for name in SOURCES:
        (tmp_path / f"{name}.json").write_text(json.dumps(data.get(name)), encoding="utf-8")
    problems: tuple[object, ...] = ()
    try:
        import_sotopia(tmp_path, tmp_path / "out", force=True)
    except InputError as error:
        problems = error.problems
    assert all("\n" not in str(problem) for problem in problems)


def test_the_unchanged_ones_are_good(tmp_path: Path) -> None:
    assert [s.name for s in parse_scenario(json.dumps(GOOD))] == ["x.price-2", "x.price-3-5"]
    for name in SOURCES:
        (tmp_path / f"{name}.json").write_text(json.dumps(SOURCES[name]), encoding="utf-8")
    assert import_sotopia(tmp_path, tmp_path / "out").scenarios == 1
