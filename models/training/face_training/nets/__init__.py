"""Nets by name, what they start from, and how they normalise."""
