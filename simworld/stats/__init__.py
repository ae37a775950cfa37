"""Statistics: intervals over families, paired tests with p-values, ratings; pure numbers."""
