"""What an image has in it, by readelf and ldconfig, and as the tar that `docker export` gives."""
import functools
import io
import os
import re
import tarfile

from .package import say
from .scale import BINARY


@functools.lru_cache(maxsize=None)
def needed(path):
    return set(re.findall(r"\(NEEDED\) +Shared library: \[(.+)\]", say("readelf", "-d", path)))


@functools.lru_cache(maxsize=None)
def closure(path):
    """(names that the program needs, name → path of all that it comes to), by what ldconfig knows."""
    known = {}
    for name, where in re.findall(r"^\t(\S+) \(.*\) => (\S+)$", say("/sbin/ldconfig", "-p"), re.M):
        known.setdefault(name, where)
    direct = needed(path)
    found, now = {}, set(direct)
    while now:
        found |= {name: known[name] for name in now}
        now = {below for name in now for below in needed(known[name])} - set(found)
    return direct, found


def image(path, files):
    """A tar of files, as `docker export` makes it, with what an engine puts there."""
    with tarfile.open(path, "w") as tar:
        for name, data in {".dockerenv": b"", "etc/hosts": b"", **files}.items():
            member = tarfile.TarInfo(name.lstrip("/"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def content(path):
    with open(path, "rb") as f:
        return f.read()


@functools.lru_cache(maxsize=None)
def files_of_an_image():
    """The program, what the loader gives it, the loader, and a file that is nobody's."""
    paths = {os.path.realpath(path) for path in closure(BINARY)[1].values()}
    loader = re.search(r"interpreter: (\S+)\]", say("readelf", "-l", BINARY))[1]
    return {"/usr/local/bin/sluice": content(BINARY), "/etc/passwd": b"sluice:x:10001:10001::/:/none\n",
            **{path: content(path) for path in paths | {os.path.realpath(loader)}}}
