"""The folders of the scenarios and personas that ship with simworld."""

from __future__ import annotations

from pathlib import Path

LIBRARY_FOLDER = Path(__file__).parent / "library"
HELDOUT_FOLDER = Path(__file__).parent / "heldout"
EXAM_FOLDER = Path(__file__).parent / "exam"
LANGUAGES_FOLDER = Path(__file__).parent / "languages"
SHIPPED_FOLDERS = (LIBRARY_FOLDER, HELDOUT_FOLDER, EXAM_FOLDER, LANGUAGES_FOLDER)
PERSONAS_FOLDER = Path(__file__).parent / "personas"
