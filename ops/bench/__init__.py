"""Benchmarks: each measures the product and its reference in the same run and prints ratios."""
