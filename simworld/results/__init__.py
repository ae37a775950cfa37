"""From verdicts to conclusions: scores of seats, standings, differences, agreement, language."""
