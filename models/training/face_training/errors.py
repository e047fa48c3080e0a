"""The one error that the command line turns into a message and exit status 1."""


class TrainingError(Exception):
    """Something the user can put right; the text names action, thing and cause."""
