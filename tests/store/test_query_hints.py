"""Names that a query has wrong, and what it probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from simworld.core.errors import InputError
from store import open_store, query
from store.query_hints import with_name_hint
from tests.factories.stored import begin

NAMES = [
    ("episodes", "id"),
    ("episodes", "ending"),
    ("episodes", "turns"),
    ("episodes", "failure_kind"),
    ("acts", "text"),
    ("acts", "turn"),
    ("judges", "spec"),
]


@pytest.mark.parametrize(
    ("said", "sql", "hint"),
    [
        ("no such column: endng", "SELECT endng FROM episodes", "did you mean 'ending'?"),
        # not `turns` of episodes, for the query asks acts
        ("no such column: trn", "SELECT trn FROM acts", "did you mean 'turn'?"),
        (
            "no such column: a.turms",
            "SELECT a.turms FROM episodes e JOIN acts AS a",
            "did you mean 'turn'?",
        ),
        (
            "no such column: e.foo",
            "SELECT e.foo FROM acts a, episodes e",
            "columns of episodes are ",
        ),
        ("no such column: acts.foo", "SELECT acts.foo FROM acts, episodes", "columns of acts are "),
        (
            "no such column: foo",
            "SELECT foo FROM Acts -- episodes",
            "the nearest columns of acts are text, turn",
        ),
        (
            "no such column: foo",
            "SELECT foo, 'episodes' FROM acts",
            "the nearest columns of acts are text, turn",
        ),
        (
            "no such column: foo",
            "SELECT foo FROM acts JOIN judges j",
            "nearest columns of acts, judges are ",
        ),
        ("no such column: spec", "SELECT spec FROM acts", "'spec' is a column of judges"),
        ("no such column: foo", "WITH x AS (SELECT 1) SELECT foo FROM x", "db info --columns"),
        (
            'no such column: "foo" - should this be a string literal',
            "SELECT id FROM acts",
            "nearest columns of acts",
        ),
        (
            'column "foo" does not exist',
            "SELECT foo FROM acts",
            "the nearest columns of acts are text, turn",
        ),
        ("column e.foo does not exist", "SELECT e.foo FROM episodes e", "columns of episodes are "),
        ("no such table: epsodes", "SELECT * FROM epsodes", "did you mean 'episodes'?"),
        ("no such table: x", "SELECT * FROM x", "there are acts, episodes, judges"),
        ('relation "epsodes" does not exist', "SELECT * FROM epsodes", "did you mean 'episodes'?"),
    ],
)
def test_the_nearest_names_are_those_of_the_query(said: str, sql: str, hint: str) -> None:
    assert with_name_hint(said, sql, NAMES).startswith(f"{said}; ")
    assert hint in with_name_hint(said, sql, NAMES)


def test_other_messages_stay_as_they_are() -> None:
    assert (
        with_name_hint('near "FORM": syntax error', "SELECT 1 FORM x", NAMES)
        == 'near "FORM": syntax error'
    )


def test_a_wrong_column_does_not_list_all_tables(tmp_path: Path) -> None:
    url = str(tmp_path / "x.db")
    with open_store(url, create=True) as store:
        begin(store)
    with pytest.raises(InputError) as caught, query(url, "SELECT foo FROM episodes e"):
        pass
    assert str(caught.value).startswith(
        "SQL: no such column: foo; the nearest columns of episodes are "
    )
    assert len(str(caught.value)) < 160
    assert "work_items" not in str(caught.value)
