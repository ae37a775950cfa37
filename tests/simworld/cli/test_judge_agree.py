"""`simworld judge agree` and `import` from the outside: a judge and a person as raters of the same
episodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scenarios.rubrics import load_rubric
from simworld.cli import cli
from simworld.core.errors import InputError
from simworld.testing import FakeBackend
from store import open_store
from tests.factories.stored import RENT, add, begin, judged, played


@pytest.fixture
def db(tmp_path: Path) -> str:
    """Three families of one episode, which a judge has scored twice, and a file in which a person
    scores them."""
    url = str(tmp_path / "x.db")
    lines = ["episode,seat,dimension,score"]
    with open_store(url, create=True) as store:
        rubric = {"id": load_rubric("sotopia").id, "dimensions": [{"name": "goal"}]}
        store.add_judge("smol@1", "smol", {"spec": {"method": "statements"}, "rubric": rubric})
        for n, work in enumerate(begin(store, scenario=RENT)):
            add(store, work, played(work, "Hello."), family=f"family {n}")
            for sample in range(2):
                key = ("owner", "goal")
                score = 3.0 * n + sample
                store.add_judgement(
                    judged(work.episode_id(1), {key: score}, judge="smol@1", sample=sample),
                    {key: score / 10},
                )
            lines.append(f"{work.episode_id(1)},owner,goal,{2 * n}")
    (tmp_path / "ann.csv").write_text("\n".join(lines))
    return url


def call(db: str, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["judge", *args, "--db", db])
    assert result.exit_code == code, result.output
    return result


def test_a_person_is_one_more_rater(db: str) -> None:
    alone = call(db, "agree").stdout
    assert (
        "Krippendorff's alpha, interval metric: 1 full agreement, 0 as by chance: not measured"
        in alone
    )
    done = call(db, "import", str(Path(db).parent / "ann.csv"), "--rater", "Ann")
    counts, following = done.stdout.splitlines()
    assert counts == "3 episodes scored by Ann, 0 already there; 3 scores in the file"
    assert following == f"next: simworld judge agree --db {db}"
    lines = [line.split() for line in call(db, "agree").stdout.splitlines()]
    assert ["goal", "Ann", "·", "smol", "1.00", "1.00", "…", "1.00", "3", "3"] in lines
    assert ["goal", "smol", "0.10", "0.10", "…", "0.10", "3", "3"] in lines
    data = json.loads(call(db, "agree", "--judges", "Ann,smol", "--json").stdout)
    (goal,) = [one for one in data["dimensions"] if one["correlations"]]
    assert (goal["dimension"], goal["alpha"]["n"]) == ("goal", 3)
    # Judge .05 .35 .65 and Ann 0 .2 .4: D_o = Σ (v − w)² / 3 = .0875 / 3, D_e = 2 Σ (v − mean)² / 5
    # = 2 · .29375 / 5
    assert goal["alpha"]["value"] == pytest.approx(1 - (0.0875 / 3) / (2 * 0.29375 / 5))
    assert goal["swaps"] == []
    assert (
        "mean change of a score by it, share of the range: not measured" in call(db, "agree").stdout
    )


def test_one_clear_line(db: str, tmp_path: Path) -> None:
    for args, message in (
        (("agree", "--judges", "smoll"), f"no judge 'smoll' in {db}; there are smol"),
        (("agree", "--run", "frist"), "no run 'frist' in this database; did you mean 'first'?"),
        (("import", "gone.csv", "--rater", "Ann"), "gone.csv: no such file"),
    ):
        result = call(db, *args, code=1)
        assert isinstance(result.exception, InputError)
        assert str(result.exception) == message
    empty = str(tmp_path / "empty.db")
    open_store(empty, create=True).close()
    assert "no judge at all in" in str(call(empty, "agree", code=1).exception)


def test_swapped_dialogues_are_judged_beside_the_plain_ones(
    db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend", lambda *args, **settings: FakeBackend()
    )
    call(db, "run")
    assert call(db, "run", "--swap", "names").stdout.startswith(
        "3 scored, 0 failed, 0 already there\n"
    )
    data = json.loads(call(db, "agree", "--judges", "smol-statements", "--json").stdout)
    swaps = {one["dimension"]: one["swaps"] for one in data["dimensions"]}
    assert len(swaps) == 7
    assert all(
        (swap["swap"], swap["n"], swap["families"]) == ("names", 6, 3) for (swap,) in swaps.values()
    )
    lines = [
        line.split()
        for line in call(db, "agree", "--judges", "smol-statements").stdout.splitlines()
    ]
    assert ["goal", "smol-statements", "names"] in [line[:3] for line in lines]
