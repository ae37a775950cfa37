"""Statistics: intervals over families, paired comparisons, ratings; numbers in, numbers out."""
