"""The totals as tables: for people at the end of a call, and as Markdown for the documentation."""

from __future__ import annotations

from tests.campaign.state import State

Rows = list[tuple[str, ...]]


def totals(state: State) -> Rows:
    """Part, what it did, minutes, faults found and still open."""
    found = state.findings()
    rows: Rows = [("part", "in all", "minutes", "kinds of fault found", "open")]
    for part, counts in state.counts().items():
        own = [one for one in found if one.part == part]
        did = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        minutes = f"{state.seconds(part) / 60:.0f}"
        rows.append((part, did, minutes, str(len(own)), str(sum(not one.mended for one in own))))
    return rows


def calls(state: State) -> Rows:
    """When, what was called, on which machine and code."""
    rows: Rows = [("began (UTC)", "ended", "command", "processor", "code")]
    return rows + [tuple(call) for call in state.calls()]


def markdown(rows: Rows) -> str:
    """Rows as a Markdown table, the first its head."""
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def faults(state: State, *, detailed: bool = False) -> str:
    """Every finding that is open, with the command that repeats it."""
    lines = []
    for one in state.findings():
        if one.mended:
            continue
        lines.append(
            f"{one.part}: {one.what}: {one.times} cases, the first: --repeat {one.part}:{one.seed}"
        )
        if detailed and one.detail:
            lines += [f"    {line}" for line in one.detail.splitlines()]
    return "\n".join(lines)
