"""How far some work is, in words, by a clock that the tests turn."""

from __future__ import annotations

import pytest

from simworld.jobs.remaining_time import RecentRate, RemainingTime, duration_text


class Clock:
    """Seconds, as set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_line_says_what_is_done_how_fast_and_what_remains(clock: Clock) -> None:
    pace = RemainingTime("playing", clock)
    pace.update(0, 40)
    for done in range(1, 11):
        clock.now += 6
        pace.update(done, 40, "1 failed")
    assert (
        pace.status_line()
        == "playing: 10 of 40, 60 s gone, 10 a minute, about 3 min left, 1 failed"
    )


def test_before_anything_is_done_it_says_only_what_time_has_gone(clock: Clock) -> None:
    pace = RemainingTime("training", clock)
    clock.now += 30
    assert pace.status_line() == "training: 30 s gone"
    pace.update(0, 8)
    assert pace.status_line() == "training: 0 of 8, 30 s gone"


def test_what_an_earlier_command_did_is_no_pace(clock: Clock) -> None:
    pace = RemainingTime("judging", clock)
    pace.update(90, 100)
    clock.now += 100
    assert pace.status_line() == "judging: 90 of 100, 2 min gone"
    pace.update(91, 100)
    clock.now += 50
    pace.update(92, 100)
    # 8 at 50 s
    assert pace.status_line() == "judging: 92 of 100, 2 min gone, 0.8 a minute, about 7 min left"


def test_unfinished_work_counts_where_its_share_is_known(clock: Clock) -> None:
    pace = RemainingTime("playing", clock)
    pace.update(0, 3, share=0.0)
    clock.now += 30
    pace.update(0, 3, share=0.25)
    assert pace.status_line() == "playing: 0 of 3, 30 s gone, about 2 min left"


@pytest.mark.parametrize("then", [(0, 40), (3, 39)])
def test_a_count_that_begins_anew_has_a_time_of_its_own(
    clock: Clock, then: tuple[int, int]
) -> None:
    pace = RemainingTime("learning", clock)
    assert not pace.update(0, 40)
    clock.now += 600
    assert not pace.update(40, 40)
    assert pace.update(*then)
    clock.now += 30
    assert not pace.update(then[0] + 10, then[1])
    assert ", 30 s gone, 20 a minute" in pace.status_line()


def test_a_stage_that_begins_forgets_the_one_before(clock: Clock) -> None:
    pace = RemainingTime("learning", clock)
    pace.update(5, 5)
    pace.begin("clone-1234")
    clock.now += 7
    assert pace.status_line() == "clone-1234: 7 s gone"
    assert pace.share == 0


def test_after_the_first_pieces_it_says_once_how_long_all_takes(clock: Clock) -> None:
    pace = RemainingTime("cloning", clock)
    pace.update(0, 100)
    clock.now += 4
    pace.update(1, 100)
    assert pace.forecast_line() == ""  # too early to tell
    clock.now += 8
    pace.update(3, 100)
    # 12 / .03 s
    assert pace.forecast_line() == "cloning: about 7 min in all, at the pace of the first pieces"
    clock.now += 4
    pace.update(4, 100)
    assert pace.forecast_line() == ""


def test_of_several_parts_each_is_forecast_by_its_name(clock: Clock) -> None:
    pace = RemainingTime("cloning", clock)
    for note, total in (("reading", 300), ("learning", 160)):
        pace.update(0, total, note)
        clock.now += 10
        pace.update(10, total, note)
        clock.now += 10
        pace.update(20, total, note)
        minutes = {300: 5, 160: 3}[total]  # one a second
        assert (
            pace.forecast_line()
            == f"cloning, {note}: about {minutes} min in all, at the pace of the first pieces"
        )


def test_pieces_that_end_together_are_no_slow_pace(clock: Clock) -> None:
    pace = RemainingTime("judging", clock)
    pace.update(0, 96)
    clock.now += 100
    for done in range(1, 33):  # of 32 at once
        pace.update(done, 96)
        assert pace.forecast_line() == ""
    clock.now += 30
    assert pace.seconds_left() == 170  # 64 more take two more batches, of which 30 s are gone
    clock.now += 70
    for done in range(33, 65):  # the second batch
        pace.update(done, 96)
    assert pace.seconds_left() == 100
    assert pace.status_line() == "judging: 64 of 96, 3 min gone, 19.2 a minute, about 2 min left"


def test_loading_a_model_is_no_pace(clock: Clock) -> None:
    pace = RemainingTime("judging", clock)
    pace.update(0, 100)
    clock.now += 200
    pace.update(1, 100)
    assert pace.seconds_left() is None  # not 99 times 200 s
    for done in range(2, 16):
        clock.now += 4
        pace.update(done, 100)
    assert pace.seconds_left() == 340  # 85 at 4 s
    assert pace.forecast_line() == "judging: about 10 min in all, at the pace of the first pieces"


def test_what_waits_longer_than_it_should_is_not_over(clock: Clock) -> None:
    pace = RemainingTime("judging", clock)
    pace.update(0, 10)
    for done in (1, 2, 3):
        clock.now += 10
        pace.update(done, 10)
    assert pace.seconds_left() == 70
    clock.now += 1000
    assert pace.seconds_left() == 60  # the next one should have come after 10 s


def test_work_of_an_hour_is_forecast_after_half_a_minute(clock: Clock) -> None:
    pace = RemainingTime("playing", clock)
    pace.update(0, 100)
    clock.now += 20
    pace.update(0, 100, share=0.006)
    clock.now += 9
    pace.update(0, 100, share=0.008)
    assert pace.forecast_line() == ""
    clock.now += 1
    pace.update(1, 100, share=0.01)
    assert pace.forecast_line() == "playing: about 50 min in all, at the pace of the first pieces"


def test_short_work_is_not_forecast(clock: Clock) -> None:
    pace = RemainingTime("cloning", clock)
    pace.update(0, 10)
    clock.now += 5
    pace.update(1, 10)
    assert pace.forecast_line() == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (720, "12 min"),
        (5399, "1 h 30 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_spans_of_time(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = RecentRate(window_s=10)
    assert rate.per_s(0, 100.0) == 0
    assert rate.per_s(50, 101.0) == 50
    assert rate.per_s(100, 105.0) == 20
    assert rate.per_s(1100, 115.0) == 100  # since 105: what was before is forgotten
    assert rate.per_s(1100, 116.0) == pytest.approx(1000 / 11)
    assert rate.per_s(1100, 130.0) == 0
