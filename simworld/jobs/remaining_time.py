"""How far a piece of work is, in words: what is done, how fast, how long it takes and what
remains.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_RATE_WINDOW_S = 10.0
_MIN_FORECAST_S = 60.0  # who waits less needs no forecast
_MIN_MEASURED_S = 5.0  # before that a pace is chance,
_MIN_MEASURED_SHARE = 0.03  # and before so much of the work is done, for beginnings are slow,
_ENOUGH_MEASURED_S = 30.0  # unless it has taken so long
_BURST_SHARE = 0.25  # of the time to the first pieces: what ends so soon after them ended with them


class RemainingTime:
    """The pace of the work under way; it begins anew with each part of the work that counts
    anew.
    """

    def __init__(self, label: str, clock: Callable[[], float]) -> None:
        """Args: `clock` gives seconds that never run backwards."""
        self.label, self._clock = label, clock
        self._total: int | None = None
        self._reset()

    def _reset(self) -> None:
        self._started_at = self._clock()
        # when the first count came, from which the pace is told
        self._first_count_at = self._started_at
        # when that count first grew, for then the work had surely begun
        self._growth_at: float | None = None
        # when it last grew, and when the first burst of pieces was over
        self._last_growth_at = self._burst_end_at = self._started_at
        # pieces: before, by now, in the first burst
        self._done_before = self._done = self._burst_size = 0
        self._given_share: float | None = None
        self._note = ""
        self._forecast_given = False

    @property
    def share(self) -> float:
        """Of this part of the work that is done, in [0, 1]."""
        if self._given_share is not None:
            return self._given_share
        if self._total is None:
            return 0.0
        return self._done / self._total if self._total else 1.0

    def begin(self, label: str) -> None:
        """Something else begins, of which nothing is counted yet."""
        self.label, self._total = label, None
        self._reset()

    def update(self, done: int, total: int, note: str = "", share: float | None = None) -> bool:
        """Takes down how far it is; whether another part of the work has begun with that.

        `share`: of this command's work that is done, in [0, 1], unfinished pieces included;
        default: told from the counts.
        """
        is_new_part = self._total is not None and (total != self._total or done < self._done)
        if is_new_part:
            self._reset()
        if is_new_part or self._total is None:
            # what was done before was perhaps by another command
            self._done_before, self._first_count_at = done, self._clock()
        if self._growth_at is None and (done > self._done_before or share):
            self._growth_at = self._clock()
        if self._growth_at is not None and done > self._done:
            self._last_growth_at = self._clock()
            if self._last_growth_at <= self._growth_at + self._burst_s:
                self._burst_size = done - self._done_before
                self._burst_end_at = self._last_growth_at
        self._done, self._total, self._note, self._given_share = done, total, note, share
        return is_new_part

    def status_line(self) -> str:
        """How far it is: done of total, time gone, rate, what remains, and the note."""
        elapsed_s = self._clock() - self._started_at
        if self._total is None:
            return f"{self.label}: {duration_text(elapsed_s)} gone"
        parts = [f"{self._done} of {self._total}", f"{duration_text(elapsed_s)} gone"]
        counted_s = self._clock() - self._first_count_at
        if self._done > self._done_before and counted_s > 0:
            parts.append(_rate_text((self._done - self._done_before) / counted_s))
        if (seconds_left := self.seconds_left()) is not None:
            parts.append(f"about {duration_text(seconds_left)} left")
        return f"{self.label}: " + ", ".join([*parts, self._note] if self._note else parts)

    def forecast_line(self) -> str:
        """Once, after the first pieces: how long all of it takes at their pace. Empty before,
        after, and where it is short.
        """
        seconds_left = self.seconds_left()
        if self._forecast_given or seconds_left is None:
            return ""
        self._forecast_given = True
        total_s = self._clock() - self._started_at + seconds_left
        if total_s < _MIN_FORECAST_S:
            return ""
        # one of several parts: reading, learning, measuring
        part = f", {self._note}" if self._note.isalpha() else ""
        about = f"about {duration_text(total_s)} in all, at the pace of the first pieces"
        return f"{self.label}{part}: {about}"

    def seconds_left(self) -> float | None:
        """Seconds that remain, at the pace so far; None while that pace would be chance.

        What came before the first pieces is no pace where others followed them faster: a model was
        loaded. Pieces that end together are one batch, and the time since the last one is part of
        the next.
        """
        now = self._clock()
        if self._growth_at is None or self._total is None:
            return None
        counted_s = now - self._first_count_at
        if self.share < _MIN_MEASURED_SHARE and counted_s < _ENOUGH_MEASURED_S:
            return None
        if (share := self._given_share) is not None:
            return counted_s * (1 - share) / share if share > 0 else None
        if now - self._growth_at < max(_MIN_MEASURED_S, self._burst_s) or not self._burst_size:
            return None
        first_burst_s = self._burst_end_at - self._first_count_at
        since_burst = self._done - self._done_before - self._burst_size
        per_piece = first_burst_s / self._burst_size
        if since_burst:
            later = (self._last_growth_at - self._burst_end_at) / since_burst
            per_piece = later if since_burst >= self._burst_size else min(per_piece, later)
        return max(
            0.0,
            per_piece * (self._total - self._done) - min(now - self._last_growth_at, first_burst_s),
        )

    @property
    def _burst_s(self) -> float:
        """How long after the first pieces others belong to the same burst."""
        return _BURST_SHARE * ((self._growth_at or 0.0) - self._first_count_at)


class RecentRate:
    """How fast a count grows, over the last seconds."""

    def __init__(self, window_s: float = _RATE_WINDOW_S) -> None:
        self._window_s = window_s
        self._readings: deque[tuple[float, int]] = deque()

    def per_s(self, count: int, now: float) -> float:
        """The growth per second since the last reading that is `window_s` seconds old, or the first
        one; `now` in seconds.
        """
        self._readings.append((now, count))
        while len(self._readings) > 2 and self._readings[1][0] <= now - self._window_s:
            self._readings.popleft()
        first_time, first_count = self._readings[0]
        return (count - first_count) / (now - first_time) if now > first_time else 0.0


def duration_text(seconds: float) -> str:
    """A span of time for people: `40 s`, `12 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _rate_text(per_s: float) -> str:
    return f"{per_s:.3g} a second" if per_s >= 1 else f"{60 * per_s:.3g} a minute"
