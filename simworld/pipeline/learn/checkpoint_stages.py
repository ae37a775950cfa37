"""The work of the stages that learn from what was played: functions of the context, the stage's
label, and the states of its inputs. The folders they leave appear whole.
"""

from __future__ import annotations
