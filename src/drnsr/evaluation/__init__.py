"""Measuring: protocols, metrics, and benchmarks."""
