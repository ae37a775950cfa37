"""The agents of the judged repetition."""

from __future__ import annotations

from pathlib import Path

from agents import find_specs
from bench.judged_again import SENTENCES, write_agents

DATA = Path(__file__).parents[2] / "docs/experiments/data/when-to-say-what"


def test_five_are_told_something_and_one_has_a_constant(tmp_path: Path) -> None:
    mean = DATA / "propose-then-thank/planners/constant"
    files = write_agents(tmp_path, mean)
    assert list(files) == [*(f"told-{number}" for number in range(1, 6)), "constant"]
    (base,) = find_specs(["smol-script"])
    assert base.template is not None
    found = find_specs(list(files.values()))
    assert [each.template.addition for each in found if each.template] == [*SENTENCES, ""]
    for each in found:
        assert each.template is not None
        assert each.template.model_copy(update={"addition": ""}) == base.template
        assert each.spec.model_dump()["sampling"] == base.spec.model_dump()["sampling"]
    assert found[-1].spec.model_dump()["steering"]["planner"] == str(mean.resolve())
