"""Benchmarks that measure the speed that the documentation states."""
