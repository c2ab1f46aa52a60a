"""How heavy a run is, and which build it is for."""
import functools
import os
import subprocess

SCALE = float(os.environ.get("SLUICE_SCALE", "1"))
BINARY = os.environ.get("SLUICE", "sluice")


def scaled(count, least=1):
    """`count` on a release build; SLUICE_SCALE of it, at least `least`, elsewhere."""
    return max(least, int(count * SCALE))


@functools.lru_cache(maxsize=None)
def sanitizer():
    """"asan", "tsan" or None: by the run-time library that is linked into the binary."""
    libraries = subprocess.run(["ldd", BINARY], capture_output=True, text=True, timeout=30, check=False).stdout
    for name in ("asan", "tsan"):
        if f"lib{name}" in libraries:
            return name
    return None


def patience(seconds):
    """A time limit: longer where a sanitizer slows everything down."""
    return seconds * (4 if sanitizer() else 1)
