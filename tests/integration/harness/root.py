"""A freshly installed Debian 12 in a folder, to install and to try things in as on a machine of one's own (root only)."""
import os
import subprocess

from .scale import patience

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "root.sh")
NSPAWN = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--resolv-conf=off", "--timezone=off"]


class Root:
    """`folder` must not be there yet; `packages` are Debian's, by name. The first root of a kind takes half a minute, the next
    ones a second (tests/tools/root.sh)."""

    def __init__(self, folder, *packages):
        self.folder = str(folder)
        made = subprocess.run(["sh", TOOL, self.folder, *packages], capture_output=True, text=True, check=False, timeout=patience(200))
        assert made.returncode == 0, made.stdout + made.stderr

    def path(self, inside):
        return self.folder + inside

    def argv(self, *command, network=False, options=()):
        """What starts `command` inside: processes and mounts of its own, and a network with nothing but loopback, unless `network`
        leaves it this machine's, for apt."""
        private = [] if network else ["--private-network"]
        return [*NSPAWN, *private, "--directory=" + self.folder, *options, *(["--pipe"] if command else ["--boot"]), *command]

    def run(self, *command, network=False, options=(), timeout=120, check=True, **settings):
        """CompletedProcess of `command`, with its output as text."""
        done = subprocess.run(self.argv(*command, network=network, options=options), capture_output=True, text=True, check=False,
                              timeout=patience(timeout), **settings)
        assert done.returncode == 0 or not check, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def install(self, *packages):
        """With apt, over the network; `packages` may be paths of .deb files inside the root."""
        return self.run("apt-get", "-q", "install", "-y", "--no-install-recommends", *packages, network=True,
                        options=["--setenv=DEBIAN_FRONTEND=noninteractive"])
