"""What only a damaged database holds is told in one line where scores are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from simworld.core.errors import StoreDamaged
from simworld.results.score_reading import measure_scales
from store import Store


@pytest.mark.parametrize("spec", [{}, {"a": 1}, {"rubric": 3}, {"rubric": {"id": "r"}}])
def test_a_judge_without_its_rubric(spec: dict[str, Any]) -> None:
    judges = [SimpleNamespace(id="j@1", spec=spec)]
    store = cast(Store, SimpleNamespace(judges=lambda: judges))
    with pytest.raises(StoreDamaged, match="judges, id 'j@1': spec: expected the judge's rubric"):
        measure_scales(store, ["j@1"])
