"""How far a piece of work is, in words: what is done, how fast, how long it takes and what
remains.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_RATE_OVER_S = 10.0
_WORTH_SAYING_S = 60.0  # who waits less needs no forecast
_FIRST_PIECES_S = 5.0  # before that a pace is chance,
_FIRST_SHARE = 0.03  # and before so much of the work is done, for beginnings are slow,
_LATEST_S = 30.0  # unless it has taken so long
_BURST = 0.25  # of the time to the first pieces: what ends so soon after them ended with them


class Pace:
    """The pace of the work under way; it begins anew with each part of the work that counts
    anew.
    """

    def __init__(self, label: str, clock: Callable[[], float]) -> None:
        """Args: `clock` gives seconds that never run backwards."""
        self.label, self._clock = label, clock
        self._total: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._began = self._clock()
        self._counted = self._began  # when the first count came, from which the pace is told
        # when that count first grew, for then the work had surely begun
        self._moved: float | None = None
        # when it last grew, and when the first burst of pieces was over
        self._grew = self._burst_over = self._began
        self._first = self._done = self._burst = 0  # pieces: before, by now, in the first burst
        self._share: float | None = None
        self._note = ""
        self._forecast = False

    @property
    def share(self) -> float:
        """Of this part of the work that is done, in [0, 1]."""
        if self._share is not None:
            return self._share
        if self._total is None:
            return 0.0
        return self._done / self._total if self._total else 1.0

    def begin(self, label: str) -> None:
        """Something else begins, of which nothing is counted yet."""
        self.label, self._total = label, None
        self._begin()

    def seen(self, done: int, total: int, note: str = "", share: float | None = None) -> bool:
        """Takes down how far it is; whether another part of the work has begun with that.

        `share`: of this command's work that is done, in [0, 1], unfinished pieces included;
        default: told from the counts.
        """
        new = self._total is not None and (total != self._total or done < self._done)
        if new:
            self._begin()
        if new or self._total is None:
            # what was done before was perhaps by another command
            self._first, self._counted = done, self._clock()
        if self._moved is None and (done > self._first or share):
            self._moved = self._clock()
        if self._moved is not None and done > self._done:
            self._grew = self._clock()
            if self._grew <= self._moved + self._burst_s:
                self._burst, self._burst_over = done - self._first, self._grew
        self._done, self._total, self._note, self._share = done, total, note, share
        return new

    def line(self) -> str:
        """How far it is: done of total, time gone, rate, what remains, and the note."""
        gone = self._clock() - self._began
        if self._total is None:
            return f"{self.label}: {duration_text(gone)} gone"
        parts = [f"{self._done} of {self._total}", f"{duration_text(gone)} gone"]
        counted = self._clock() - self._counted
        if self._done > self._first and counted > 0:
            parts.append(_rate((self._done - self._first) / counted))
        if (left := self.left()) is not None:
            parts.append(f"about {duration_text(left)} left")
        return f"{self.label}: " + ", ".join([*parts, self._note] if self._note else parts)

    def forecast(self) -> str:
        """Once, after the first pieces: how long all of it takes at their pace. Empty before,
        after, and where it is short.
        """
        left = self.left()
        if self._forecast or left is None:
            return ""
        self._forecast = True
        whole = self._clock() - self._began + left
        if whole < _WORTH_SAYING_S:
            return ""
        # one of several parts: reading, learning, measuring
        part = f", {self._note}" if self._note.isalpha() else ""
        about = f"about {duration_text(whole)} in all, at the pace of the first pieces"
        return f"{self.label}{part}: {about}"

    def left(self) -> float | None:
        """Seconds that remain, at the pace so far; None while that pace would be chance.

        What came before the first pieces is no pace where others followed them faster: a model was
        loaded. Pieces that end together are one batch, and the time since the last one is part of
        the next.
        """
        now = self._clock()
        if self._moved is None or self._total is None:
            return None
        counted = now - self._counted
        if self.share < _FIRST_SHARE and counted < _LATEST_S:
            return None
        if self._share is not None:
            return counted * (1 - self._share) / self._share if self._share > 0 else None
        if now - self._moved < max(_FIRST_PIECES_S, self._burst_s) or not self._burst:
            return None
        before, since = self._burst_over - self._counted, self._done - self._first - self._burst
        per_piece = before / self._burst
        if since:
            later = (self._grew - self._burst_over) / since
            per_piece = later if since >= self._burst else min(per_piece, later)
        return max(0.0, per_piece * (self._total - self._done) - min(now - self._grew, before))

    @property
    def _burst_s(self) -> float:
        """How long after the first pieces others belong to the same burst."""
        return _BURST * ((self._moved or 0.0) - self._counted)


class Rate:
    """How fast a count grows, over the last seconds."""

    def __init__(self, over_s: float = _RATE_OVER_S) -> None:
        self._over_s = over_s
        self._seen: deque[tuple[float, int]] = deque()

    def per_s(self, count: int, now: float) -> float:
        """The growth per second since the last reading that is `over_s` seconds old, or the first
        one; `now` in seconds.
        """
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._over_s:
            self._seen.popleft()
        then, before = self._seen[0]
        return (count - before) / (now - then) if now > then else 0.0


def duration_text(seconds: float) -> str:
    """A span of time for people: `40 s`, `12 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _rate(per_s: float) -> str:
    return f"{per_s:.3g} a second" if per_s >= 1 else f"{60 * per_s:.3g} a minute"
