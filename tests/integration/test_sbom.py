"""The bill of materials of a package and of an image (docker/sbom.py): valid, complete, the same each time; and refused where it
would have to guess. What it tells is found here by other means: readelf, ldconfig, dpkg, the schema and npm's reader of purls."""
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess

import jsonschema
import pytest

from harness.image import closure, content, files_of_an_image, image, needed
from harness.package import build, say
from harness.scale import BINARY, patience
from harness.walk import ROOT

pytestmark = pytest.mark.once
MODULES = os.environ.get("NPM_MODULES", os.path.join(ROOT, "build", "npm", "node_modules"))
BUILD = os.path.dirname(os.path.abspath(BINARY))
EPOCH = "1700000000"  # 2023-11-14T22:13:20Z


@pytest.fixture(scope="module", name="deb")
def a_package(tmp_path_factory):
    return build(tmp_path_factory.mktemp("deb") / "made")


@pytest.fixture(scope="module", name="bom")
def its_bill(deb):
    return json.loads(bill(deb).stdout)


def bill(path, build_folder=BUILD, **environment):
    return subprocess.run(["/usr/bin/python3", "-B", os.path.join(ROOT, "docker", "sbom.py"), build_folder, str(path), "-"], capture_output=True,
                          text=True, check=False, timeout=patience(60), env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, **environment})


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.read()


def component(bom, name):
    found = [one for one in bom["components"] if one["name"] == name]
    assert len(found) == 1, f"{name}: {len(found)}"
    return found[0]


def hashes(one):
    """Path → SHA-256 of the files of a component."""
    return {file["name"]: file["hashes"][0]["content"] for file in one["components"]}


# ---- the form

def additional_items(validator, allowed, instance, schema):
    """As the standard has it: the library's own fails where two of those items are mappings, which it sorts for its message."""
    if isinstance(instance, list) and isinstance(schema.get("items"), list):
        for index, item in list(enumerate(instance))[len(schema["items"]):]:
            if allowed is False:
                yield jsonschema.ValidationError(f"item {index} is one too many")
            elif allowed is not True:
                yield from validator.descend(item, allowed, path=index)


@functools.lru_cache(maxsize=None)
def validator():
    """Of the official schema, which has those of SPDX's licences and of signatures beside it."""
    folder = os.path.join(MODULES, "@cyclonedx", "cyclonedx-library", "res", "schema")
    schema = json.loads(read(folder, "bom-1.5.SNAPSHOT.schema.json"))
    store = {f"http://cyclonedx.org/schema/{name}": json.loads(read(folder, name)) for name in
             ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")}
    strict = jsonschema.validators.extend(jsonschema.Draft7Validator, {"additionalItems": additional_items})
    return strict(schema, resolver=jsonschema.RefResolver.from_schema(schema, store=store), format_checker=jsonschema.draft7_format_checker)


def mistakes(bom):
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in validator().iter_errors(bom)]


def test_it_is_valid(bom):
    assert mistakes(bom) == []
    refs = [one["bom-ref"] for part in (bom["metadata"]["component"], *bom["components"]) for one in (part, *part["components"])]
    assert len(refs) == len(set(refs)), "a name is there twice"
    assert {end for edge in bom["dependencies"] for end in (edge["ref"], *edge["dependsOn"])} <= set(refs)
    assert {edge["ref"] for edge in bom["dependencies"]} == {one["bom-ref"] for one in (bom["metadata"]["component"], *bom["components"])}


@pytest.mark.parametrize("spoil", [
    lambda bom: bom.update(specVersion=1.5), lambda bom: bom["components"][0].pop("name"), lambda bom: bom["components"][0].update(extra=1),
    lambda bom: bom["components"][0]["licenses"].append({"license": {"id": "GPL-9"}}), lambda bom: bom.update(serialNumber="1"),
    lambda bom: bom["components"][0]["components"][0]["hashes"][0].update(content="xyz")])
def test_the_schema_finds_what_is_not(bom, spoil):
    other = json.loads(json.dumps(bom))
    spoil(other)
    assert mistakes(other) != []


def test_its_package_urls_are_read_by_others(bom):
    everything = [bom["metadata"]["component"], *bom["components"]]
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "integration", "npm", "purl.mjs")], capture_output=True, text=True, check=False,
                          timeout=patience(30), input="\n".join(one["purl"] for one in everything),
                          env={**os.environ, "NPM_MODULES": os.path.abspath(MODULES)})
    assert done.returncode == 0, done.stderr
    parts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(part["name"], part["version"]) for part in parts] == [(one["name"], one["version"]) for one in everything]
    for part in parts:
        if part["type"] == "deb":
            assert part["namespace"] == "debian" and part["qualifiers"]["arch"] in (say("dpkg", "--print-architecture").strip(), "all")
            assert part["qualifiers"]["distro"] == "debian-12"
    assert {part["type"] for part in parts} == {"deb", "npm", "generic"}


def test_the_same_input_gives_the_same_bytes(deb, bom, tmp_path):
    other = bill(shutil.copy(deb, tmp_path), TZ="Asia/Kathmandu", PYTHONHASHSEED="7", LC_ALL="C").stdout
    assert other == bill(deb, PYTHONHASHSEED="8").stdout and json.loads(other) == bom
    assert bom["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    later = json.loads(bill(deb, SOURCE_DATE_EPOCH="1700000001").stdout)
    assert later["metadata"]["timestamp"] == "2023-11-14T22:13:21Z" and later["serialNumber"] != bom["serialNumber"]


def test_it_is_written_beside_the_file(deb, bom, tmp_path):
    copy = shutil.copy(deb, tmp_path)
    say("/usr/bin/python3", "-B", os.path.join(ROOT, "docker", "sbom.py"), BUILD, copy, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    assert json.loads(read(copy.removesuffix(".deb") + ".cdx.json")) == bom


# ---- what it tells

def test_the_subject_is_the_package_with_every_file(deb, bom, tmp_path):
    subject = bom["metadata"]["component"]
    said = re.fullmatch(r"sluice (\S+) \((\w+)\)\n", say(BINARY, "version"))
    assert (subject["version"], dict((one["name"], one["value"]) for one in subject["properties"])["sluice:commit"]) == said.groups()
    assert subject["hashes"] == [{"alg": "SHA-256", "content": sha256(deb)}]
    say("dpkg-deb", "-x", deb, str(tmp_path))
    there = {os.path.join(folder, name) for folder, _, names in os.walk(tmp_path) for name in names}
    assert hashes(subject) == {path.removeprefix(str(tmp_path)): sha256(path) for path in there if not os.path.islink(path)}


def owners(paths):
    """Path of a library → (package, version). dpkg may know its file below /lib or below /usr/lib."""
    real = {path: os.path.realpath(path) for path in paths}
    said = subprocess.run(["dpkg", "-S", *real.values(), *(one.removeprefix("/usr") for one in real.values())], capture_output=True,
                          text=True, check=False, timeout=patience(60)).stdout
    named = {where if where.startswith("/usr") else "/usr" + where: name for name, where in re.findall(r"^(\S+): (\S+)$", said, re.M)}
    versions = dict(line.split() for line in say("dpkg-query", "-W", "-f", "${binary:Package} ${Version}\n").splitlines())
    return {path: (named[one].split(":")[0], versions[named[one]]) for path, one in real.items()}


def test_every_library_is_covered(bom):
    direct, found = closure(BINARY)
    assert {"libcurl.so.4", "libc.so.6"} <= direct and "libnghttp2.so.14" in set(found) - direct
    below = {edge["ref"]: set(edge["dependsOn"]) for edge in bom["dependencies"]}
    root = below[bom["metadata"]["component"]["bom-ref"]]
    by_path = owners(found.values())
    owner = {name: by_path[path] for name, path in found.items()}
    for name, path in found.items():
        package, version = owner[name]
        one = component(bom, package)
        assert one["version"] == version, name
        assert hashes(one)[os.path.realpath(path)] == sha256(path), name
        assert (one["bom-ref"] in root) == (package in {owner[other][0] for other in direct}), name
        for other in needed(path):
            ref = component(bom, owner[other][0])["bom-ref"]
            assert ref == one["bom-ref"] or ref in below[one["bom-ref"]], f"{name} needs {other}"
    libraries = {package for package, _ in owner.values()}
    assert {one["name"] for one in bom["components"]} == libraries | {"node-llhttp", "uplot"}, "and nothing else"


def test_licences_and_sources_are_debians(bom):
    libcurl = component(bom, "libcurl4")
    named = {one["license"].get("id") or one["license"]["name"] for one in libcurl["licenses"]}
    copyright_file = read("/usr/share/doc/libcurl4/copyright")
    assert {"curl", "ISC", "BSD-3-Clause"} <= named and "License: curl" in copyright_file
    assert component(bom, "libc6")["licenses"] == [{"license": {"name": "see /usr/share/doc/libc6/copyright"}}], "a text for people"
    for one in bom["components"]:
        if one["name"] != "uplot":
            told = {item["name"].removeprefix("sluice:"): item["value"] for item in one["properties"]}
            source = say("dpkg-query", "-W", "-f", "${source:Package} ${source:Version}\n", one["name"]).splitlines()
            assert f"{told['source-package']} {told['source-version']}" in source


def test_what_is_compiled_in_is_told(bom):
    llhttp = component(bom, "node-llhttp")
    assert llhttp["version"] == say("dpkg-query", "-W", "-f", "${Version}", "node-llhttp")
    header = read("/usr/share/include/llhttp/llhttp.h")
    version = ".".join(re.search(rf"LLHTTP_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
    assert {"name": "sluice:compiled-in", "value": f"llhttp {version}"} in llhttp["properties"]
    assert hashes(llhttp)["/usr/share/llhttp/llhttp.c"] == sha256("/usr/share/llhttp/llhttp.c")
    lock = json.loads(read(ROOT, "src", "control", "dashboard", "package-lock.json"))["packages"]["node_modules/uplot"]
    uplot = component(bom, "uplot")
    assert (uplot["version"], uplot["licenses"]) == (lock["version"], [{"license": {"id": "MIT"}}])
    openssl = subprocess.run(["openssl", "base64", "-d", "-A"], input=lock["integrity"].removeprefix("sha512-").encode(), capture_output=True,
                             check=True, timeout=30)
    assert uplot["hashes"] == [{"alg": "SHA-512", "content": openssl.stdout.hex()}]
    assert "uPlot.iife.min.js" in hashes(uplot)


# ---- an image

def test_an_image_is_told_with_the_packages_of_its_files(tmp_path, bom):
    files = files_of_an_image() | {"/etc/ssl/openssl.cnf": content("/etc/ssl/openssl.cnf")}
    done = bill(image(tmp_path / "files.tar", files))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert mistakes(told) == []
    subject = told["metadata"]["component"]
    assert subject["type"] == "container" and set(hashes(subject)) == {"/usr/local/bin/sluice", "/etc/passwd"}
    assert {one["name"] for one in told["components"]} == {one["name"] for one in bom["components"]} | {"openssl"}
    assert hashes(component(told, "openssl")) == {"/etc/ssl/openssl.cnf": sha256("/etc/ssl/openssl.cnf")}


@pytest.mark.parametrize("change, said", [
    (lambda files: files.update({one("libcurl"): b"\x7fELF another"}), "is not the one of libcurl4 that is installed here"),
    (lambda files: files.pop(one("libcurl")), "the image lacks"),
    (lambda files: files.update({"/usr/lib/libown.so": b"\x7fELF"}), "/usr/lib/libown.so is of no package"),
    (lambda files: files.pop("/usr/local/bin/sluice"), "0 files are called bin/sluice"),
], ids=["another", "lacking", "nobody's", "no program"])
def test_an_image_that_is_not_what_was_built(tmp_path, change, said):
    files = dict(files_of_an_image())
    change(files)
    done = bill(image(tmp_path / "files.tar", files))
    assert done.returncode == 1 and said in done.stderr and done.stdout == "", done.stderr


def one(name):
    return next(path for path in files_of_an_image() if f"/{name}." in path)


# ---- what would be a guess

@pytest.mark.parametrize("spoil, said", [
    (lambda folder: os.remove(folder / "libllhttp_built.a"), "llhttp was not compiled in"),
    (lambda folder: (folder / "dashboard" / "uplot" / "uPlot.min.css").write_text("another one, which nobody has compiled in"), "the binary does not have the uPlot"),
    (lambda folder: shutil.rmtree(folder / "dashboard"), "where they come from is not known"),
], ids=["llhttp", "another uPlot", "no uPlot"])
def test_a_build_folder_that_is_not_its_own(tmp_path, deb, spoil, said):
    cache = re.sub(r"(?m)^CMAKE_HOME_DIRECTORY:.*", "CMAKE_HOME_DIRECTORY:INTERNAL=/nonexistent", read(BUILD, "CMakeCache.txt"))
    (tmp_path / "CMakeCache.txt").write_text(cache)
    (tmp_path / "libllhttp_built.a").touch()
    shutil.copytree(os.path.join(BUILD, "dashboard", "uplot"), tmp_path / "dashboard" / "uplot")
    assert bill(deb, str(tmp_path)).returncode == 0
    spoil(tmp_path)
    done = bill(deb, str(tmp_path))
    assert done.returncode == 1 and said in done.stderr, done.stderr
