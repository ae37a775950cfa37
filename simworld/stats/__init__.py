"""Statistics: intervals over families, paired tests (p-values), ratings; numbers in, numbers out."""
