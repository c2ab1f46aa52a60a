"""The Debian package of the binary under test."""
import fcntl
import os
import subprocess

from .scale import BINARY, patience

PACKAGE_SH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docker", "package.sh")


def say(*argv, **settings):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=patience(120), **settings)
    assert done.returncode == 0, f"{argv}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def build(folder):
    """Its path; `folder` must not be there yet. One at a time: cpack compresses in the folder that the binary was built in."""
    folder.mkdir()
    built = os.path.dirname(os.path.abspath(BINARY))
    lock = os.open(built, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return say("sh", PACKAGE_SH, built, env={**os.environ, "SLUICE_PACKAGE_OUT": str(folder)}).strip()
    finally:
        os.close(lock)
