"""Benchmarks, each runnable as a module; they print one JSON line."""
