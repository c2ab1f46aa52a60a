#!/usr/bin/python3
"""The bill of materials of a package or of an image, CycloneDX 1.5 as JSON: docker/sbom.py BUILD_FOLDER FILE [BOM]

FILE is a .deb, or the files of an image as a tar (`docker export`). BOM is FILE's name with .cdx.json; `-` is stdout. It is
made on the machine that the binary was built on, or one with the same packages, and tells what it finds there: FILE's files with
their SHA-256; the Debian packages of the libraries that the loader gives its binary; what was compiled in, llhttp and uPlot. What
cannot be told for certain is an error.
The same input gives the same bytes: the time is $SOURCE_DATE_EPOCH, else the commit's."""
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import uuid
from datetime import datetime, timezone
from urllib.parse import quote

HERE = os.path.dirname(os.path.abspath(__file__))
DPKG = "/var/lib/dpkg"
# Names of Debian's copyright files that mean one licence of SPDX's list. Others are told as Debian writes them.
SPDX = {"apache-2.0": "Apache-2.0", "expat": "MIT", "mit": "MIT", "isc": "ISC", "zlib": "Zlib", "curl": "curl", "x11": "X11", "bsl-1.0": "BSL-1.0",
        "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "cc0-1.0": "CC0-1.0", "fsful": "FSFUL", "fsfullr": "FSFULLR",
        "oldap-2.8": "OLDAP-2.8", "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later", "gpl-3": "GPL-3.0-only",
        "gpl-3+": "GPL-3.0-or-later", "lgpl-2.1": "LGPL-2.1-only", "lgpl-2.1+": "LGPL-2.1-or-later", "lgpl-3+": "LGPL-3.0-or-later",
        "mpl-2.0": "MPL-2.0"}


# What an engine puts into a container, whatever the image is.
PLACES = {"/.dockerenv", "/dev/console", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}


class Refused(Exception):
    """What the bill would have to guess."""


def say(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def content(path):
    with open(path, "rb") as f:
        return f.read()


def sha256(data):
    return {"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}


def properties(**named):
    return [{"name": "sluice:" + name.replace("_", "-"), "value": value} for name, value in sorted(named.items())]


# ---- what is in FILE

def regular_files(path):
    """Path → bytes of a .deb's or a tar's files."""
    if path.endswith(".deb"):
        with tempfile.TemporaryFile() as unpacked:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, stdout=unpacked)
            unpacked.seek(0)
            return members(tarfile.open(fileobj=unpacked))
    return members(tarfile.open(path))


def members(archive):
    with archive:
        files = {os.path.normpath("/" + one.name): archive.extractfile(one).read() for one in archive if one.isfile() or one.islnk()}
        files = {path: data for path, data in files.items() if data or path not in PLACES}
    if not files:
        raise Refused("there is no file in it")
    return files


def binary_of(files):
    found = [path for path in files if re.fullmatch(r"(/usr(/local)?)?/bin/sluice", path)]
    if len(found) != 1:
        raise Refused(f"{len(found)} files are called bin/sluice")
    return found[0]


# ---- Debian's packages

class Packages:
    """Those that are installed on this machine."""

    def __init__(self):
        form = "${Package}\\t${Architecture}\\t${Version}\\t${source:Package}\\t${source:Version}\\t${db:Status-Status}\\n"
        rows = [line.split("\t") for line in say("dpkg-query", "-W", "-f", form).splitlines()]
        self.rows = {(row[0], row[1]): row for row in rows if row[5] == "installed"}
        self.owner = {}
        for (name, arch) in self.rows:
            listed = f"{DPKG}/info/{name}:{arch}.list"
            listed = listed if os.path.exists(listed) else f"{DPKG}/info/{name}.list"
            for path in content(listed).decode().splitlines():
                self.owner.setdefault(merged(path), (name, arch))
        release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', content("/etc/os-release").decode(), re.M))
        self.distro = f"{release['ID']}-{release['VERSION_ID']}"

    def of(self, path):
        """The package whose file it is, or None."""
        return self.owner.get(merged(os.path.realpath(path)))

    def purl(self, package):
        name, arch, version, source, source_version, _ = self.rows[package]
        upstream = source if source_version == version else f"{source}@{source_version}"
        qualifiers = {"arch": arch, "distro": self.distro} | ({"upstream": upstream} if upstream != name else {})
        named = "&".join(f"{key}={quote(value, safe=':')}" for key, value in sorted(qualifiers.items()))
        return f"pkg:deb/debian/{quote(name, safe='')}@{quote(version, safe=':')}?{named}"

    def component(self, package, files, **told):
        """`files` is path → bytes of what is used of it."""
        name, _, version, source, source_version, _ = self.rows[package]
        purl = self.purl(package)
        return {"type": "library", "bom-ref": purl, "name": name, "version": version, "licenses": licences(name), "purl": purl,
                "properties": properties(source_package=source, source_version=source_version, **told),
                "components": file_components(purl, files)}


def merged(path):
    """One name for /lib/x and /usr/lib/x, which are the same file."""
    return re.sub(r"^/(bin|sbin|lib\w*)/", r"/usr/\1/", path)


def licences(package):
    """Each that the package's copyright file names for some file of its source: not every one holds for the library."""
    path = f"/usr/share/doc/{package}/copyright"
    if not os.path.exists(path):
        raise Refused(f"{package} has no {path}")
    text = content(path).decode(errors="replace")
    names = sorted({" ".join(name.split()) for name in re.findall(r"^License:[ \t]*(\S.*)$", text, re.M)})
    if not text.startswith("Format:") or not names:  # free text
        names = ["see " + path]
    spdx = {SPDX[name.lower()] for name in names if name.lower() in SPDX}
    return [{"license": {"id": one}} for one in sorted(spdx)] + \
        [{"license": {"name": one}} for one in names if one.lower() not in SPDX]


def file_components(within, files):
    return [{"type": "file", "bom-ref": f"{within}#{path}", "name": path, "hashes": [sha256(data)]} for path, data in sorted(files.items())]


# ---- what the binary is linked with

def needed(path):
    return set(re.findall(r"^\s*NEEDED\s+(\S+)$", say("objdump", "-p", path), re.M))


def libraries(binary):
    """Name → path of all that the loader gives it, the loader itself among them."""
    found = {}
    for line in say("ldd", binary).splitlines():
        if "not found" in line:
            raise Refused(f"a library is not there: {line.strip()}")
        if match := re.match(r"\s*(?:(\S+) => )?(/\S+) \(", line):
            found[match[1] or os.path.basename(match[2])] = match[2]
    missing = needed(binary) - set(found)
    if missing:
        raise Refused(f"ldd does not tell where {missing} are")
    return found


def linked(binary, packages):
    """Package → {path: bytes} of the libraries; package → packages that its libraries need; packages that the binary needs."""
    paths = libraries(binary)
    owners = {}
    for name, path in paths.items():
        owners[name] = packages.of(path)
        if owners[name] is None:
            raise Refused(f"{path} is of no package")
    files, needs = {}, {}
    for name, path in paths.items():
        files.setdefault(owners[name], {})[os.path.realpath(path)] = content(path)
        below = {owners[other] for other in needed(path) if other in owners}
        needs.setdefault(owners[name], set()).update(below - {owners[name]})
    return files, needs, {owners[name] for name in needed(binary)}


# ---- what is compiled in

def cache(build):
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as f:
        return dict(re.findall(r"^([\w.-]+):\w+=(.*)$", f.read(), re.M))


def llhttp(build, settings, packages):
    """Debian has its C sources in a package of node, which the build compiles (src/http/FindLlhttp.cmake)."""
    if not os.path.exists(os.path.join(build, "libllhttp_built.a")):
        raise Refused("llhttp was not compiled in; where it comes from is not known")
    header = os.path.join(settings["LLHTTP_INCLUDE"], "llhttp.h")
    paths = [header] + [os.path.join(settings["LLHTTP_SOURCE"], name) for name in ("api.c", "http.c", "llhttp.c")]
    package = packages.of(header)
    if package is None:
        raise Refused(f"{header} is of no package")
    numbers = dict(re.findall(r"^#define LLHTTP_VERSION_(\w+) (\d+)$", content(header).decode(), re.M))
    version = ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))
    return packages.component(package, {path: content(path) for path in paths}, compiled_in=f"llhttp {version}")


def uplot(build, settings, binary):
    """From where the build has it (src/control/dashboard/Dashboard.cmake); a build without it has no charts."""
    folders = [settings.get("SLUICE_UPLOT"), settings["CMAKE_HOME_DIRECTORY"] + "/src/control/dashboard/uplot", build + "/dashboard/uplot"]
    folder = next((one for one in folders if one and os.path.exists(one + "/uPlot.iife.min.js")), None)
    if folder is None:
        if b"export default uPlot;" in binary:
            raise Refused("the binary has charts, and where they come from is not known")
        return None
    files = {name: content(f"{folder}/{name}") for name in ("LICENSE", "uPlot.iife.min.js", "uPlot.min.css")}
    if any(data not in binary for data in files.values()):
        raise Refused(f"the binary does not have the uPlot that is in {folder}")
    with open(folder + "/package-lock.json", encoding="utf-8") as f:
        lock = json.load(f)["packages"]["node_modules/uplot"]
    purl = f"pkg:npm/uplot@{lock['version']}"
    algorithm, digest = lock["integrity"].split("-", 1)
    if algorithm != "sha512":
        raise Refused(f"the lock file has {algorithm} of uPlot")
    return {"type": "library", "bom-ref": purl, "name": "uplot", "version": lock["version"],
            "hashes": [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}], "licenses": [{"license": {"id": lock["license"]}}],
            "purl": purl, "properties": properties(compiled_in="the dashboard's charts"), "components": file_components(purl, files)}


# ---- the bill

def version_of(data):
    """(version, commit) as the binary tells them."""
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/sluice"
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o755)
        said = re.fullmatch(r"sluice (\S+) \((\w+)\)\n", say(path, "version"))
        if not said:
            raise Refused("the binary does not tell its version")
        return said[1], said[2]


def moment():
    at = os.environ.get("SOURCE_DATE_EPOCH") or say("git", "-C", HERE, "log", "-1", "--format=%ct")
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def packaged(files, packages, used, is_image):
    """Adds to `used` the files of an image that are of Debian's packages; returns those that are ours. A library that the binary
    needs and the image has not, or not the same, is an error, as is a file of a package that is another one here."""
    ours = {}
    for path, data in files.items():
        package = packages.of(path) if is_image else None
        if package is None:
            if data.startswith(b"\x7fELF") and not path.endswith("/bin/sluice"):
                raise Refused(f"{path} is of no package")
            ours[path] = data
        elif not os.path.exists(path) or content(path) != data:
            raise Refused(f"{path} is not the one of {package[0]} that is installed here")
        else:
            used.setdefault(package, {})[os.path.realpath(path)] = data
    if is_image:
        there = {merged(os.path.realpath(path)) for path in files}
        lacking = sorted(path for paths in used.values() for path in paths if merged(path) not in there)
        if lacking:
            raise Refused(f"the image lacks {', '.join(lacking)}")
    return ours


def bill(build, path):
    files = regular_files(path)
    where = binary_of(files)
    is_image = not path.endswith(".deb")
    version, commit = version_of(files[where])
    packages, settings = Packages(), cache(build)
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(files[where])
        copy.flush()
        used, needs, direct = linked(copy.name, packages)
    ours = packaged(files, packages, used, is_image)
    components = [packages.component(package, paths) for package, paths in used.items()]
    inside = [one for one in (llhttp(build, settings, packages), uplot(build, settings, files[where])) if one]
    root = f"pkg:generic/sluice@{version}"
    subject = {"type": "container" if is_image else "application", "bom-ref": root, "name": "sluice", "version": version,
               "hashes": [sha256(content(path))], "licenses": [{"license": {"id": "Apache-2.0"}}], "purl": root,
               "properties": properties(commit=commit, file=os.path.basename(path)), "components": file_components(root, ours)}
    edges = {packages.purl(package): {packages.purl(other) for other in needs.get(package, ())} for package in used}
    edges |= {one["bom-ref"]: set() for one in inside}
    edges[root] = {packages.purl(package) for package in direct | set(used) - set(needs)} | {one["bom-ref"] for one in inside}
    return document(subject, sorted(components + inside, key=lambda one: one["bom-ref"]), edges)


def document(subject, components, edges):
    made = {"$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "metadata": {"timestamp": moment(), "tools": {"components": [{"type": "application", "name": "docker/sbom.py",
                                                                          "version": subject["version"]}]}, "component": subject},
            "components": components,
            "dependencies": [{"ref": ref, "dependsOn": sorted(below)} for ref, below in sorted(edges.items())]}
    made["serialNumber"] = "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(made, sort_keys=True)))
    return made


def main(argv):
    if len(argv) not in (3, 4):
        print("usage: docker/sbom.py BUILD_FOLDER FILE [BOM]", file=sys.stderr)
        return 2
    try:
        made = bill(os.path.abspath(argv[1]), argv[2])
    except Refused as refused:
        print(f"sbom.py: {argv[2]}: {refused}", file=sys.stderr)
        return 1
    out = argv[3] if len(argv) == 4 else os.path.splitext(argv[2])[0] + ".cdx.json"
    with open(1 if out == "-" else out, "w", encoding="utf-8", closefd=out != "-") as f:
        json.dump(made, f, indent=1, sort_keys=True, ensure_ascii=False)
        f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
