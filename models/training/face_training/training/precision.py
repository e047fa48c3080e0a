"""The precision that a processor is quick in."""

from pathlib import Path

import tensorflow as tf

# Kernels for bfloat16 exist where the processor says one of these; elsewhere it is converted to and
# from float32 at every step, five times slower than float32 on a processor with AVX2 only.
_FLAGS = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}
_CPU = Path("/proc/cpuinfo")


def choose(asked: str) -> str:
    """Return Keras' name of the precision: as asked, or for `auto` what this machine is quick in."""
    if asked != "auto":
        return asked
    devices = tf.config.list_physical_devices("GPU")
    if devices:
        capability = tf.config.experimental.get_device_details(devices[0]).get("compute_capability")
        return "mixed_bfloat16" if capability and capability[0] >= 8 else "float32"
    return "mixed_bfloat16" if _FLAGS & processor_flags() else "float32"


def processor_flags(path: Path = _CPU) -> set[str]:
    """Return the flags (x86) or features (Arm) of the first processor, none where it does not tell."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    for line in lines:
        name, _, values = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(values.split())
    return set()
