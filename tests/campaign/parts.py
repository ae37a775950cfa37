"""The parts of the campaign and what each may take."""

from __future__ import annotations

from collections.abc import Mapping

from tests.campaign.canaries import Canaries
from tests.campaign.checkpoints import Checkpoints
from tests.campaign.databases import Databases
from tests.campaign.files import Files
from tests.campaign.kills import Kills
from tests.campaign.worker import Plan

GIB = 2**30

# Two lanes, each of which does its parts one after another: no more than two processes are busy at
# once.
LANES: tuple[Mapping[str, Plan], ...] = (
    {
        "kills": Plan(make=Kills, step_s=90, memory_bytes=None, share=0.5),
        "canaries": Plan(make=Canaries, step_s=180, memory_bytes=None, share=0.5),
    },
    {
        "files": Plan(make=Files, step_s=30, memory_bytes=6 * GIB, share=0.3),
        "databases": Plan(make=Databases, step_s=30, memory_bytes=6 * GIB, share=0.6),
        "checkpoints": Plan(make=Checkpoints, step_s=15, memory_bytes=6 * GIB, share=0.1),
    },
)
PARTS: Mapping[str, Plan] = {name: plan for lane in LANES for name, plan in lane.items()}
