"""Keep what C++ libraries print from the terminal, unless what was done fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to the process's standard output and error; tell it on a failure."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as said:
        try:
            for number in (1, 2):
                os.dup2(said.fileno(), number)
            yield
        except BaseException:
            said.seek(0)
            os.write(kept[1], said.read())
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, old in enumerate(kept, start=1):
                os.dup2(old, number)
                os.close(old)


def import_tensorflow() -> None:
    """Import TensorFlow and have it look for devices, without its lines about both."""
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()
        tf.config.list_logical_devices()
