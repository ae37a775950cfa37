"""One loop: which stages there are, what each is made from, and what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents import LoadedSpec
from simworld.pipeline.arms_plan import ArmsPlan
from simworld.pipeline.learn import fingerprints, stages
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.learn_file import RANDOM
from simworld.pipeline.learn.stage_cache import Fingerprint, Stage, StageCache, StageFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnResult:
    """What a loop came to."""

    stages: tuple[Stage, ...]
    planner: Path | None  # the checkpoint's folder; None in a dry run that finds it not made yet
    report: Mapping[str, Any] | None  # of the evaluation


def learn(shop: PipelineContext, bench: StageCache) -> LearnResult:
    """Does what is not done yet of one loop; in a dry run nothing.

    Raises:
        InputError: what a stage got cannot be used.
        SimworldError: a stage cannot go on; those before it are kept.
    """
    return _LearnPipeline(shop, bench).go()


class _LearnPipeline:
    def __init__(self, shop: PipelineContext, bench: StageCache) -> None:
        self.shop, self.bench, self.file = shop, bench, shop.file
        self.stages: list[Stage] = []

    def go(self) -> LearnResult:
        """All stages in order."""
        upmap = self._checkpoint(
            "upmap", self._upmap_settings(), (), lambda label: stages.make_upmap(self.shop, label)
        )
        start = upmap
        if (clone := self.file.clone) is not None:
            replies = self._replies()
            run = self._run(replies)
            start = cloned = self._checkpoint(
                "clone",
                {**clone.model_dump(mode="json"), "seed": self.file.seed},
                (upmap, replies),
                lambda label: stages.make_clone(self.shop, label, run, self._path(upmap), clone),
            )
            if (latent := self.file.latent) is not None:
                start = self._checkpoint(
                    "latent",
                    {**latent.model_dump(mode="json"), "seed": self.file.seed},
                    (cloned, replies),
                    lambda label: stages.make_latent(
                        self.shop, label, run, self._path(cloned), latent
                    ),
                )
        before, ways = start, self.file.collect.explore.kind == "ways"
        for _ in range(1, self.file.rounds):
            before = self._fewer_ways(before) if ways else self._round(before)[1]
        dataset, planner = self._round(before)
        arms: dict[str, Stage] = {}
        if "constant" in self.file.arms:
            arms["constant"] = self._checkpoint(
                "constant",
                {},
                (dataset, before),
                lambda label: stages.choose_constant(
                    self.shop, label, self._path(dataset), self._path(before)
                ),
            )
        arms |= {"planner": planner, "explorer": before, "random": start, "clone": start}
        report = self._evaluation({arm: arms[arm] for arm in self.file.arms if arm != "base"})
        return LearnResult(
            stages=tuple(self.stages),
            planner=None if planner.made is None else self._path(planner),
            report=None
            if report.made is None
            else json.loads(self._path(report).read_text("utf-8")),
        )

    def _round(self, start: Stage) -> tuple[Stage, Stage]:
        """Collecting around a checkpoint and training on that: the dataset and the planner."""
        collected = self._collected(start)
        dataset = self._dataset(collected)
        planner = self._checkpoint(
            "train",
            self.file.train.model_dump(mode="json"),
            (dataset, start),
            lambda label: stages.train(self.shop, label, self._path(dataset), self._path(start)),
        )
        return dataset, planner

    def _fewer_ways(self, start: Stage) -> Stage:
        """Trying all the ways a checkpoint knows: one that knows those that were rewarded most."""
        collect = self.file.collect
        dataset = self._dataset(self._collected(start))
        return self._checkpoint(
            "ways",
            {"keep": collect.keep, "share": collect.share},
            (dataset, start),
            lambda label: stages.keep_ways(
                self.shop, label, self._path(dataset), self._path(start)
            ),
        )

    def _replies(self) -> Stage:
        base = {self.shop.agent.spec.name: self.shop.agent}

        def plan(label: str) -> ArmsPlan:
            return self.shop.plan(
                label,
                base,
                scenarios=self.shop.train,
                partners=base,
                seats="first",
                repeats=self.file.replies,
            )

        settings = {
            "agents": self.shop.contents(base),
            "scenarios": [scenario.id for scenario in self.shop.train],
            "repeats": self.file.replies,
            "seed": self.file.seed,
            "name": self.file.name,
        }
        return self._played("replies", settings, (), plan)

    def _collected(self, start: Stage) -> Stage:
        shop, collect = self.shop, self.file.collect

        def plan(label: str) -> ArmsPlan:
            explorer = shop.steered("explore", self._path(start), collect.explore)
            return shop.plan(
                label,
                {"explore": explorer},
                scenarios=shop.train,
                partners={explorer.spec.name: explorer} if collect.self_play else shop.partners,
                seats="first" if collect.self_play else collect.seats,
                repeats=collect.repeats,
            )

        settings = {
            "agents": shop.contents({"": shop.agent, **shop.partners}),
            "scenarios": [scenario.id for scenario in shop.train],
            **collect.model_dump(mode="json", exclude={"keep", "share"}),
            "seed": self.file.seed,
            "name": self.file.name,
        }
        count = len(shop.train) * collect.repeats
        if not collect.self_play:
            seats = {"both": sum(len(scenario.seats) for scenario in shop.train)}.get(
                collect.seats, len(shop.train)
            )
            count = seats * len(shop.partners) * collect.repeats
        return self._played("collect", settings, (start,), plan, count)

    def _dataset(self, collected: Stage) -> Stage:
        shop, run = self.shop, self._run(collected)
        judged: Stage | None = None
        if shop.reward_judge is not None:
            judged = self._done(
                "judge",
                {"judge": shop.reward_judge.content(), "place": self.file.reward.placed},
                (collected,),
                lambda label: stages.judge(shop, label, run),
                lambda record: fingerprints.judged_content(shop.store, shop.folder / record.path),
            )
        return self._done(
            "dataset",
            self.file.reward.model_dump(mode="json"),
            (judged or collected,),
            lambda label: stages.make_dataset(
                shop, run, None if judged is None else self._path(judged)
            ),
            lambda record: fingerprints.dataset_content(shop.folder / record.path),
        )

    def _evaluation(self, made: Mapping[str, Stage]) -> Stage:
        shop, wanted = self.shop, self.file.evaluate
        explores = {"random": RANDOM, "explorer": self.file.collect.explore}

        def plan(label: str) -> ArmsPlan:
            arms: dict[str, LoadedSpec] = {"base": shop.agent} if "base" in self.file.arms else {}
            arms |= {
                arm: shop.steered(arm, self._path(stage), explores.get(arm))
                for arm, stage in made.items()
            }
            return shop.plan(
                label,
                arms,
                scenarios=shop.test,
                partners=shop.opponents,
                seats=wanted.seats,
                repeats=wanted.repeats,
            )

        settings = {
            **wanted.model_dump(mode="json"),
            "arms": list(self.file.arms),
            "agents": shop.contents({"": shop.agent, **shop.opponents}),
            "scenarios": [scenario.id for scenario in shop.test],
            "judge": shop.test_judge.content() if shop.test_judge else None,
            "reward": self.file.reward.model_dump(mode="json"),
            "explorer": self.file.collect.explore.model_dump(mode="json"),
            "seed": self.file.seed,
            "name": self.file.name,
        }
        seats = {"both": sum(len(scenario.seats) for scenario in shop.test)}.get(
            wanted.seats, len(shop.test)
        )
        count = seats * len(shop.opponents) * wanted.repeats * len(self.file.arms)
        return self._done(
            "evaluate",
            settings,
            tuple(made.values()),
            lambda label: stages.compare(shop, label, plan(label)),
            lambda record: fingerprints.file_content(shop.folder / record.path),
            episodes=count,
        )

    def _upmap_settings(self) -> dict[str, Any]:
        # Left out where it is empty, so that up-mappings made before it came to be keep their keys.
        left_out = set() if self.file.upmap.text_encoder else {"text_encoder"}
        made = self.file.upmap.model_dump(mode="json", exclude=left_out)
        return {**made, "model": self.shop.model.model, "dtype": self.shop.model.dtype}

    def _played(
        self,
        name: str,
        settings: dict[str, Any],
        inputs: tuple[Stage, ...],
        plan: Callable[[str], ArmsPlan],
        episodes: int | None = None,
    ) -> Stage:
        return self._done(
            name,
            settings,
            inputs,
            lambda label: stages.play(self.shop, plan(label)),
            lambda record: fingerprints.run_content(
                self.shop.store, f"{self.file.name}-{name}-{record.key[:8]}"
            ),
            episodes=len(self.shop.train) * self.file.replies if episodes is None else episodes,
        )

    def _checkpoint(
        self, name: str, settings: dict[str, Any], inputs: tuple[Stage, ...], work: StageFunction
    ) -> Stage:
        return self._done(
            name,
            settings,
            inputs,
            work,
            lambda record: fingerprints.checkpoint_content(self.shop.folder / record.path),
        )

    def _done(
        self,
        name: str,
        settings: dict[str, Any],
        inputs: tuple[Stage, ...],
        work: StageFunction,
        look: Fingerprint,
        *,
        episodes: int = 0,
    ) -> Stage:
        stage = self.bench.do(name, settings, inputs, work, look, episodes=episodes)
        self.stages.append(stage)
        return stage

    def _path(self, stage: Stage) -> Path:
        assert stage.made is not None, "a stage is only asked for its path once it is done"
        return self.shop.folder / stage.made.path

    def _run(self, stage: Stage) -> str:
        return f"{self.file.name}-{stage.label}"
