"""Which tokens one speaker uses more often than another: log-odds ratios with an informative
Dirichlet prior (Monroe, Colaresi & Quinn 2008, "Fightin' Words").

The prior is as if each had said so many tokens more, with their shares in both together: so a rare
token needs more than chance to stand out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, sqrt

PRIOR_TOKENS = 100.0  # α₀, at most
PRIOR_SHARE = 0.1  # of all tokens; at most, that the prior is


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDifference:
    """How much more often a token is used than in the base."""

    token: str
    n: int  # times it was used
    base_n: int  # in the base
    log_odds: float  # ratio, natural; below 0: less often
    z: float  # log_odds by its standard error; uncorrected for the number of tokens


def compare_tokens(counts: Mapping[str, int], base: Mapping[str, int]) -> list[TokenDifference]:
    """All tokens of both, those that rose most first, ties by name; empty where one of the two has
    said nothing.
    """
    total, base_total = sum(counts.values()), sum(base.values())
    if not total or not base_total:
        return []
    prior = min(PRIOR_TOKENS, PRIOR_SHARE * (total + base_total))
    differences = []
    for token in {*counts, *base}:
        n, base_n = counts.get(token, 0), base.get(token, 0)
        if not n + base_n:
            continue
        alpha = prior * (n + base_n) / (total + base_total)
        log_odds, variance = _log_odds(n + alpha, total + prior)
        base_log_odds, base_variance = _log_odds(base_n + alpha, base_total + prior)
        log_odds -= base_log_odds
        differences.append(
            TokenDifference(
                token=token,
                n=n,
                base_n=base_n,
                log_odds=log_odds,
                z=log_odds / sqrt(variance + base_variance),
            )
        )
    return sorted(differences, key=lambda each: (-each.z, each.token))


def _log_odds(part: float, whole: float) -> tuple[float, float]:
    """Gives the log-odds of a part and their variance; half a token is left to the others where
    there are none. The variance counts the others too: a token may be a way, of which there are
    few.
    """
    rest = max(whole - part, 0.5)
    return log(part) - log(rest), 1 / part + 1 / rest
