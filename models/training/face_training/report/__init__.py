"""The model card, the page and the slides of a run."""
