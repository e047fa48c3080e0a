"""Runs: training, resuming, learning from teachers."""
