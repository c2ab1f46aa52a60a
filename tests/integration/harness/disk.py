"""A small disk that can be filled and emptied: a tmpfs of its own. Needs root; `disks_are_allowed()` says whether that is
given."""
import os
import subprocess


def disks_are_allowed(directory):
    probe = os.path.join(directory, "probe")
    os.makedirs(probe, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "probe", probe], capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", probe], check=True)
    return True


class Disk:
    def __init__(self, directory, size="2m"):
        self.path = os.path.join(directory, "disk")
        os.makedirs(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small", self.path], check=True)
        self.filler = os.path.join(self.path, "filler")

    def fill(self):
        """To the last byte."""
        with open(self.filler, "ab", buffering=0) as file:
            for piece in (65536, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * piece)
                except OSError:
                    continue

    def empty(self):
        os.unlink(self.filler)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)
