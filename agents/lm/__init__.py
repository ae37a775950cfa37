"""Model backends behind one protocol: `load_backend` opens what a spec names."""

from agents.lm.load import load_backend

__all__ = ["load_backend"]
