"""Training of emotiond's emotion classifiers."""

__version__ = "0.1.0"
