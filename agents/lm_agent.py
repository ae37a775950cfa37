"""An agent played by a language model: observation → request → reply → act, and no model in it
(sans-I/O).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.prompting import (
    PromptTemplate,
    addressing_note,
    build_prompt,
    prompt_version,
    stop_strings,
)
from agents.replies.line_similarity import line_similarity
from agents.replies.people_names import PeopleNames
from agents.replies.privacy import UnresolvedAddressee
from agents.replies.reply_parsing import parse_reply
from agents.steering.act_plan import ActPlan
from simworld.core.episode import Act, Action, ActionKind, Generation, Observation, PlanStep
from simworld.core.errors import Failure, model_failure
from simworld.core.protocols import ActGenerator
from simworld.core.requests import (
    ChatPrompt,
    Completion,
    Encoded,
    Generate,
    Generated,
    ModelInfo,
    Prefix,
    Request,
    Sampling,
)
from simworld.core.seeding import derive_seed

if TYPE_CHECKING:
    from agents.steering.steering import Steering


MAX_RAW_CHARS = 200_000  # characters of a reply that are stored as the model wrote them


@dataclass(frozen=True, slots=True, kw_only=True)
class LMAgent:
    """Plays a seat with a model. An unusable or repeated reply is asked for again with fresh random
    numbers.

    So is one that is private to nobody in particular, with a note of who is there.
    """

    id: str
    model: str  # which backend answers
    info: ModelInfo
    template: PromptTemplate
    sampling: Sampling
    reasks: int = 2  # times an unusable or repeated reply is asked for again
    # a line is a repeat when this share of its word pairs stands in an earlier line; 1: off
    max_similarity: float = 1.0
    steering: Steering | None = None

    def act(self, observation: Observation) -> ActGenerator:
        """One act. Fails when the model fails, or when every reply was unusable; a repeat is
        accepted on the last ask.

        A reply whose mark of privacy means nobody here is unusable too: it is never said to all.

        A steered agent asks for the state first, then for the reply behind a prefix, and for all
        further replies behind the same.
        """
        names = PeopleNames.of(observation)
        earlier_lines = [event.action.text for event in observation.events if event.action.text]
        dropped_events = asks = retries = 0
        first_repeat: Act | None = None
        plan: ActPlan | None = None
        note = ""
        while True:
            prompt = build_prompt(self.template, observation, drop_events=dropped_events, note=note)
            planned = plan or (yield from self._plan_act(observation, prompt))
            answer: Completion
            if isinstance(planned, Failure):
                answer = planned
            else:
                plan = planned
                asks += 1
                answer = yield self._reply_request(observation, prompt, retries, plan.prefix)
            if isinstance(answer, Failure):
                if answer.kind == "too-long" and dropped_events < len(observation.events):
                    # The oldest quarter of what is left goes; the row says so. The state shall be
                    # that of the prompt in use.
                    dropped_events += max(1, (len(observation.events) - dropped_events) // 4)
                    plan = None
                    continue
                return answer
            if not isinstance(answer, Generated):
                message = f"the model gave {type(answer).__name__}"
                return Failure(boundary="reply", kind="unexpected", message=message)
            action = parse_reply(answer.text, names, truncated=answer.finish == "length")
            if isinstance(action, UnresolvedAddressee):
                note = addressing_note(observation)
            elif action is not None:
                step = plan.step if plan else None
                act = self._make_act(
                    observation, action, answer, step, retries, asks, dropped_events
                )
                if not self._is_repeat(action, earlier_lines):
                    return act
                first_repeat = first_repeat or act
            if retries == self.reasks:
                if first_repeat and (made := first_repeat.generation):
                    # the first repeat is kept, but all requests made for this act count
                    return replace(first_repeat, generation=replace(made, asks=asks))
                return _unusable(answer, action, asks)
            retries += 1

    def _plan_act(
        self, observation: Observation, prompt: ChatPrompt
    ) -> Generator[Request, Completion, ActPlan | Failure]:
        if self.steering is None:
            return ActPlan()
        request = self.steering.state_request(prompt, self._thread_name(observation))
        answer = None if request is None else (yield request)
        if isinstance(answer, Failure):
            return answer
        if answer is not None and not isinstance(answer, Encoded):
            return model_failure("unexpected", f"the model gave {type(answer).__name__}")
        return self.steering.plan_act(observation, answer)

    def _reply_request(
        self, observation: Observation, prompt: ChatPrompt, retry: int, prefix: Prefix | None
    ) -> Generate:
        return Generate(
            prompt=prompt,
            sampling=self.sampling,
            seed=_sampling_seed(observation, retry),
            stop=stop_strings(self.template, observation),
            thread=self._thread_name(observation),
            prefix=prefix,
        )

    def _thread_name(self, observation: Observation) -> str:
        return f"{observation.episode_seed}/{self.id}/{observation.seat}"

    def _is_repeat(self, action: Action, earlier_lines: list[str]) -> bool:
        if self.max_similarity >= 1 or action.kind is not ActionKind.speak:
            return False
        return line_similarity(action.text, earlier_lines) >= self.max_similarity

    def _make_act(
        self, observation: Observation, action: Action, answer: Generated, step: PlanStep | None,
        retry: int, asks: int, dropped_events: int,
    ) -> Act:  # fmt: skip
        generation = Generation(
            model_id=self.info.id,
            dtype=answer.dtype,
            prompt_version=prompt_version(self.template, observation),
            seed=_sampling_seed(observation, retry),
            prompt_tokens=answer.prompt_tokens,
            new_tokens=answer.new_tokens,
            latency_s=answer.latency_s,
            logprob=answer.logprob,
            finish=answer.finish,
            raw=answer.raw[:MAX_RAW_CHARS],
            asks=asks,
            dropped_events=dropped_events,
            reasoning_tokens=answer.reasoning_tokens,
        )
        return Act(seat=observation.seat, action=action, generation=generation, plan=step)


def _sampling_seed(observation: Observation, retry: int) -> int:
    return observation.seed if retry == 0 else derive_seed(observation.seed, "ask", retry)


def _unusable(answer: Generated, action: Action | UnresolvedAddressee | None, asks: int) -> Failure:
    excerpt = answer.text if len(answer.text) <= 80 else answer.text[:77] + "..."
    if isinstance(action, UnresolvedAddressee):
        message = (
            f"no reply in {asks} asks that says whom it is for: {action.reason}; the last was"
            f" {excerpt!r}"
        )
        return Failure(boundary="reply", kind="private", message=message)
    message = f"no usable reply in {asks} asks; the last was {excerpt!r}"
    return Failure(boundary="reply", kind="empty", message=message)
