"""`simworld train td3bc`: a planner learns offline, from stored episodes, to be rewarded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.text import print_json, say
from simworld.cli.train.dataset_options import data_options, dataset_folder, datasets_option
from simworld.cli.train.reply_options import work_folder
from simworld.code_version import code_version
from simworld.core.errors import InputError, Problem
from simworld.yamlfile import join_with_and

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agents.steering.checkpoint import Checkpoint
    from simworld.core.progress import MetricsSink

POSITIVE = click.IntRange(min=1)
ABOVE_0 = click.FloatRange(min=0, min_open=True)
FOLDER = click.Path(path_type=Path, file_okay=False)
# Defaults of options are those of the settings; None here, so that they stand in one place and no
# torch is loaded to show help.
LEARNERS = ("td3bc", "rebrac", "iql", "awac", "bc", "ridge", "constant")


def _parse_widths(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Widths of layers: `256,256`; none for `linear`."""
    if text is None:
        return None
    if text == "linear":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(
            f"{text!r} is not a list of widths; expected numbers above 0 as in 256,256, or linear"
        )
    return tuple(map(int, parts))


@click.command()
@click.option(
    "--data",
    "dataset",
    type=FOLDER,
    help="A dataset's folder; default: built from --db by the query.",
)
@data_options
@datasets_option
@click.option(
    "--clone",
    "clone_folder",
    type=FOLDER,
    required=True,
    help="The clone, or up-mapping, to start from.",
)
@click.option("--fresh", is_flag=True, help="Start from a new actor, although the clone has one.")
@click.option("--out", type=FOLDER, required=True, help="The checkpoint's folder.")
@click.option(
    "--learner",
    type=click.Choice(LEARNERS),
    default="td3bc",
    help=(
        "rebrac, iql and awac learn values too; to compare with: bc stays near the data alone,"
        " ridge is a regression in closed form, constant the best constant action."
    ),
)
@click.option("--steps", type=POSITIVE, help="Updates.")
@click.option("--alpha", type=ABOVE_0, help="Weight of the values against staying near the data.")
@click.option("--beta", type=ABOVE_0, help="Weight of advantages, of iql and awac.")
@click.option(
    "--expectile",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of iql: .5 values what the data do on average, near 1 the best that they do.",
)
@click.option("--beta1", type=ABOVE_0, help="ReBRAC's weight of the actor's penalty.")
@click.option("--beta2", type=click.FloatRange(min=0), help="And of the critics' penalty.")
@click.option("--gamma", type=click.FloatRange(0, 1), help="Discount.")
@click.option("--actor-rate", "actor_lr", type=ABOVE_0, help="Learning rate.")
@click.option("--critic-rate", "critic_lr", type=ABOVE_0, help="Learning rate.")
@click.option(
    "--critic-hidden",
    metavar="WIDTHS",
    callback=_parse_widths,
    help="As 256,256; or linear: no hidden layer.",
)
@click.option("--layer-norm/--no-layer-norm", default=None, help="In the critics.")
@click.option(
    "--critic-penalty", type=click.FloatRange(min=0), help="As ReBRAC's, but a mean, of td3bc."
)
@click.option("--batch-size", type=POSITIVE, help="Transitions an update.")
@click.option("--seed", type=click.IntRange(min=0), help="Of all that is drawn.")
@click.option(
    "--every",
    "eval_interval",
    type=POSITIVE,
    help="Updates between two evaluations; the state is saved there too.",
)
@click.option(
    "--held-out",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of families to evaluate on.",
)
@click.option("--fqe-steps", type=POSITIVE, help="Updates of an evaluation.")
@click.option(
    "--patience",
    type=click.IntRange(min=0),
    help="Evaluations without gain before stopping; 0: never.",
)
@click.option(
    "--stopping",
    type=click.Choice(["held_out", "cross_fitted"]),
    help=(
        "The step to keep: by fitted-Q evaluation on held-out families, or by its gain over the"
        " best constant action on all families, each with a learner that did not see it; where none"
        " gains, the planner is that action. Default: held_out."
    ),
)
@click.option(
    "--folds", type=click.IntRange(min=2), help="Of families, with cross_fitted; one learner each."
)
@click.option(
    "--name", help="Of the training in the database. Default: the name of the --out folder."
)
@click.option("--tensorboard", type=FOLDER, help="Write metrics for TensorBoard here too.")
@db_option
@json_option
@resumes
def td3bc(
    db: str,
    dataset: Path | None,
    datasets: Path | None,
    clone_folder: Path,
    fresh: bool,
    out: Path,
    learner: str,
    name: str | None,
    tensorboard: Path | None,
    as_json: bool,
    fqe_steps: int | None,
    **options: Any,
) -> None:
    """Train a planner on stored episodes by TD3+BC, another learner, or what it must beat.

    The best actor on families that it did not learn from (--stopping) is written as a checkpoint.
    An interrupted training goes on by the same command. Metrics go to the database where the data
    come from there, or where --db is given.
    """
    from pydantic import ValidationError

    from agents.steering.checkpoint import load_checkpoint, save_checkpoint
    from agents.steering.checkpoint_folder import check_writable
    from simworld.jobs.progress import progress_bar
    from simworld.training.data.dataset_inspection import dataset_coverage
    from simworld.training.metrics_log import log_to_store, log_to_tensorboard, new_training_record
    from simworld.training.rl.explain_policy import describe_planner
    from simworld.training.rl.offline_training import LoopSettings
    from simworld.training.rl.planner_learners import LEARNER_SETTINGS
    from simworld.training.rl.planner_settings import PlannerSettings
    from simworld.training.rl.train_planner import (
        learning_warning,
        load_training_data,
        train_planner,
    )
    from store import open_store

    loop = _given_settings(options, LoopSettings) | {
        "fqe": {} if fqe_steps is None else {"steps": fqe_steps}
    }
    _refuse_unused({**options, "fqe_steps": fqe_steps}, learner)
    own = LEARNER_SETTINGS.get(learner)
    content = {
        "learner": learner,
        "fresh": fresh,
        **({learner: _given_settings(options, own)} if own else {}),
        "loop": loop,
    }
    try:
        settings = PlannerSettings.model_validate(content)
    except ValidationError as error:
        messages = [item["msg"].removeprefix("Value error, ") for item in error.errors()]
        raise InputError(Problem(message=message) for message in messages) from None
    check_writable(out)
    clone = load_checkpoint(clone_folder)
    folder = dataset_folder(db, options, datasets) if dataset is None else dataset
    data = load_training_data(folder)
    db_source = click.get_current_context().get_parameter_source("db")
    is_logged = dataset is None or db_source is not ParameterSource.DEFAULT
    if warning := learning_warning(data, settings):
        click.echo(f"Note: {warning}.", err=True)
    work = work_folder(out)
    try:
        with ExitStack() as stack:
            store = stack.enter_context(open_store(db)) if is_logged else None
            record = new_training_record(
                name or out.name,
                settings.learner,
                code_version(),
                settings.model_dump(mode="json"),
                dict(data.provenance),
            )
            sinks = [stack.enter_context(log_to_store(store, record))] if store else []
            if tensorboard:
                sinks.append(stack.enter_context(log_to_tensorboard(tensorboard)))
            show = stack.enter_context(progress_bar("training"))
            planner = train_planner(
                data, clone, settings, folder=work, sink=_combine_sinks(sinks), on_progress=show
            )
            told: dict[str, Any] = {}
            if store:
                planner, told = describe_planner(planner, store, data.transitions)
            save_checkpoint(out, planner)
            if store:
                metrics = {**planner.info.metrics, "coverage": dataset_coverage(folder), **told}
                store.finish_training(record.name, checkpoint_id=planner.id, metrics=metrics)
    except KeyboardInterrupt:
        click.echo("Stopped; the same command goes on from the last evaluation.", err=True)
        raise click.exceptions.Exit(130) from None
    shutil.rmtree(work, ignore_errors=True)  # a regression leaves none
    _show_checkpoint(planner, out, as_json)
    if "policy" in told and not as_json:
        say(told["policy"]["sentence"])


def _refuse_unused(options: Mapping[str, Any], learner: str) -> None:
    """Refuses options of training that were given, but that the learner does not have; says of
    each which learners have it.
    """
    from simworld.training.rl.offline_training import LoopSettings
    from simworld.training.rl.planner_learners import LEARNER_SETTINGS

    trained_in_steps = {*LoopSettings.model_fields, "fqe_steps"}
    used_by = {
        name: {
            *own.model_fields,
            *({"seed", "stopping", "folds"} if name == "ridge" else trained_in_steps),
        }
        for name, own in LEARNER_SETTINGS.items()
    } | {"constant": set[str]()}
    unused = set().union(*used_by.values()) - used_by[learner]
    refused = []
    for option in click.get_current_context().command.params:
        if option.name in unused and options.get(option.name) is not None:
            owners = join_with_and([name for name in LEARNERS if option.name in used_by[name]])
            refused.append(f"{option.opts[0]} (of {owners})")
    if refused:
        raise InputError(f"the learner {learner} has no {join_with_and(refused)}; leave that out")


def _given_settings(options: Mapping[str, Any], settings: type[BaseModel]) -> dict[str, Any]:
    """The options that were given, of some settings, which know the defaults of the others."""
    return {name: options[name] for name in settings.model_fields if options.get(name) is not None}


def _combine_sinks(sinks: Sequence[MetricsSink]) -> MetricsSink:
    def send_to_all(step: int, metrics: Mapping[str, float]) -> None:
        for sink in sinks:
            sink(step, metrics)

    return send_to_all


def _show_checkpoint(planner: Checkpoint, out: Path, as_json: bool) -> None:
    info = planner.info
    if as_json:
        print_json({"id": planner.id, "folder": str(out), **info.model_dump(mode="json")})
        return
    steps = (
        f": update {info.metrics['best_step']:.0f} of {info.metrics['steps']:.0f}"
        if "steps" in info.metrics
        else ""
    )
    say(f"{out}: {planner.id}{steps}")
    if "constant" in info.metrics:
        click.echo(
            "  constant: nothing that was learned gains more than one standard error over the best"
            " constant action on families not seen; the planner is that action"
        )
    fit = ("r2", "r2_without_product", "held_value", "held_return")
    gain = ("value", "constant_value", "gain", "gain_se")
    of_actions = ("bc_distance", "action_shift", "action_dispersion")
    for name in (*fit, *gain, *of_actions, "q_correlation", "held_q_correlation"):
        if name in info.metrics:
            click.echo(f"  {name:<20}{info.metrics[name]:>9.3f}")
    say(f"  steering: {{planner: {out}}}")
    suggest_next("agent new", "my-agent")
