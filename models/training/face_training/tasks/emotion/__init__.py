"""Emotions: one grey face, a logit for each."""
