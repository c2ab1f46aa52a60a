"""The Debian package of the binary under test."""
import os
import subprocess

from .scale import BINARY, patience

PACKAGE_SH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docker", "package.sh")


def say(*argv, **settings):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=patience(120), **settings)
    assert done.returncode == 0, f"{argv}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def build(folder):
    """Its path; `folder` must not be there yet."""
    folder.mkdir()
    return say("sh", PACKAGE_SH, os.path.dirname(os.path.abspath(BINARY)), env={**os.environ, "SLUICE_PACKAGE_OUT": str(folder)}).strip()
