"""The options that choose a dataset, alike for every command that needs one, and the dataset they
choose.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.options import option_group
from simworld.core.errors import InputError, Problem

if TYPE_CHECKING:
    from simworld.training.data.dataset_query import DataQuery

DATE_TYPE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])

# option → the field of DataQuery or RewardSettings it fills, for messages
_OPTION_OF_FIELD = {
    "reward.pattern": "--lexical",
    "reward.text": "--like",
    "reward.weights": "--weight",
    "reward.place": "--place",
    "reward": "reward",
    "states": "--states",
}
# A command gets them as keywords, and gives them to `data_query`.
data_options = option_group(
    click.option("--run", "runs", multiple=True, metavar="NAME", help="Only these runs."),
    click.option(
        "--agent",
        "agents",
        multiple=True,
        metavar="NAME",
        help="Only acts of these agents, by name or id.",
    ),
    click.option(
        "--scenario", "scenarios", multiple=True, metavar="NAME", help="Only these, by name or id."
    ),
    click.option(
        "--family", "families", multiple=True, metavar="NAME", help="Only these families."
    ),
    click.option(
        "--since",
        type=DATE_TYPE,
        help="Only episodes that ended then (UTC unless it has a zone) or later.",
    ),
    click.option("--until", type=DATE_TYPE, help="Only episodes that ended before then."),
    click.option(
        "--encoder",
        "encoders",
        multiple=True,
        metavar="ID",
        help="What made the states; the beginning will do.",
    ),
    click.option(
        "--planner", "planners", multiple=True, metavar="ID", help="What made the actions."
    ),
    click.option(
        "--judge",
        "judges",
        multiple=True,
        metavar="NAME",
        help="Whose verdicts reward, by name or id; needed where several have judged.",
    ),
    click.option(
        "--mix-judges",
        is_flag=True,
        help="Average over several judges, although they share no scale.",
    ),
    click.option(
        "--weight",
        "weights",
        multiple=True,
        metavar="DIMENSION=W",
        help="Default: the rubric's weights.",
    ),
    click.option(
        "--place",
        type=click.Choice(["end", "uniform", "attributed", "prefixes", "utterance"]),
        help="Where the reward goes. Default: end; for --lexical and --like: utterance.",
    ),
    click.option("--no-centre", is_flag=True, help="Leave the mean of each family in."),
    click.option(
        "--lexical", metavar="PATTERN", help="Reward utterances in which this is found; no judge."
    ),
    click.option(
        "--like", metavar="TEXT", help="Reward utterances for likeness to a text; no judge."
    ),
    click.option(
        "--states",
        default="",
        metavar="ENCODER",
        help="Make the states anew from the words: lines:builtin:all-minilm-l6-v2.",
    ),
    click.option(
        "--states-only", is_flag=True, help="States alone, recorded ones too, and no reward."
    ),
)


datasets_option = click.option(
    "--datasets",
    "datasets",
    type=click.Path(path_type=Path, file_okay=False),
    help=(
        "Folder for datasets, made once per query and content. Default: `datasets` in the cache"
        " folder."
    ),
)


def data_query(options: dict[str, Any]) -> DataQuery:
    """The query of a command's options. Raises InputError for options that do not go together."""
    from pydantic import ValidationError

    from simworld.training.data.dataset_query import DataQuery

    lexical, like = options["lexical"], options["like"]
    if lexical and like:
        raise InputError("--lexical and --like: give one of them")
    reward = {
        "measure": "lexical" if lexical else "embedding" if like else "judged",
        "place": options["place"],
        "weights": _parse_weights(options["weights"]),
        "centre": not options["no_centre"],
        "pattern": lexical or "",
        "text": like or "",
    }
    fields = DataQuery.model_fields.keys() - {"since", "until", "reward"}
    try:
        return DataQuery(
            since=_with_utc(options["since"]),
            until=_with_utc(options["until"]),
            reward=reward,
            **{name: options[name] for name in fields},
        )
    except ValidationError as error:
        raise InputError(
            Problem(
                message=f"{_option_name(item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            )
            for item in error.errors()
        ) from None


def dataset_folder(db: str, options: dict[str, Any], datasets: Path | None) -> Path:
    """The folder of the dataset that a command's options choose, with a progress bar while it is
    made.
    """
    from agents.lm.local.model_files import cache_root
    from simworld.jobs.progress import progress_bar
    from simworld.training.data.dataset import build_dataset
    from store import open_store

    query = data_query(options)
    with open_store(db) as store, progress_bar("reading episodes") as show:
        return build_dataset(store, query, datasets or cache_root() / "datasets", on_progress=show)


def _parse_weights(texts: tuple[str, ...]) -> dict[str, float]:
    weights = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            equals = ""
        if not (equals and name):
            raise InputError(f"--weight {text}: expected DIMENSION=NUMBER, as in goal=2")
    return weights


def _with_utc(moment: datetime | None) -> datetime | None:
    from datetime import UTC

    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _option_name(loc: tuple[int | str, ...]) -> str:
    path = ".".join(map(str, loc))
    return _OPTION_OF_FIELD.get(path) or _OPTION_OF_FIELD.get(".".join(map(str, loc[:2]))) or path
