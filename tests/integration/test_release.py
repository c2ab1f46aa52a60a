"""A release is rehearsed in a copy of the repository: tag, check, files, sums, notes; and each thing that must stop it does."""
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from harness.package import build, say
from harness.pages import tracked
from harness.scale import BINARY, patience
from harness.walk import ROOT

pytestmark = pytest.mark.once
WHO = ["-c", "user.name=test", "-c", "user.email=test@sluice.example"]
DATE = "2026-12-24"


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.read()


VERSION = re.search(r"^project\(sluice VERSION ([\d.]+)", read(ROOT, "CMakeLists.txt"), re.M)[1]
TAG = "v" + VERSION


class Copy:
    """A repository: a clone, or one that begins with nothing. (A clone of this one need not be allowed: in a container it is often
    another user's, and without its history.)"""

    def __init__(self, folder, source=None):
        self.folder = str(folder)
        say("git", *(["clone", "-q", "--shared", source] if source else ["init", "-q"]), self.folder)

    def git(self, *arguments):
        return say("git", "-C", self.folder, *WHO, *arguments).strip()

    def edit(self, path, pattern, text):
        """Once, where the pattern is; it must be there."""
        now, count = re.subn(pattern, text, read(self.folder, path), count=1, flags=re.M)
        assert count == 1, f"{path} has no {pattern}"
        with open(os.path.join(self.folder, path), "w", encoding="utf-8") as f:
            f.write(now)

    def commit(self, message="a change"):
        self.git("commit", "-q", "-a", "--allow-empty", "-m", message)

    def run(self, script, *arguments, **settings):
        """CompletedProcess of docker/SCRIPT."""
        return subprocess.run(["sh", os.path.join(self.folder, "docker", script), *arguments], capture_output=True, text=True, check=False,
                              timeout=patience(60), **settings)

    def program(self, said):
        """What stands for a binary that was built of it: it tells its version."""
        path = self.folder + "-program"
        with open(path, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\necho '{said}'\n")
        os.chmod(path, 0o755)
        return path


@pytest.fixture(scope="module", name="ready")
def a_release(tmp_path_factory):
    """What is in this folder, committed, with a date in the changelog, and tagged."""
    copy = Copy(tmp_path_factory.mktemp("release") / "sluice")
    copy.commit("what was before")
    for path in tracked():
        os.makedirs(os.path.dirname(os.path.join(copy.folder, path)), exist_ok=True)
        shutil.copy(os.path.join(ROOT, path), os.path.join(copy.folder, path))
    copy.edit("docs/CHANGELOG.md", rf"^## \[{re.escape(VERSION)}\] - .*", f"## [{VERSION}] - {DATE}")
    copy.git("add", "-A")
    copy.commit("a release")
    copy.git("tag", "-a", TAG, "-m", "a release")
    return copy


@pytest.fixture(name="copy")
def a_copy(ready, tmp_path):
    return Copy(tmp_path / "sluice", ready.folder)


# ---- the check

def test_what_is_ready_may_be_released(ready):
    done = ready.run("release-check.sh", TAG)
    assert done.returncode == 0 and f"{TAG} may be released" in done.stdout, done.stderr
    program = ready.program(f"sluice {VERSION} ({ready.git('rev-parse', '--short', 'HEAD')})")
    done = ready.run("release-check.sh", TAG, program)
    assert done.returncode == 0, done.stderr


def retagged(copy, edit):
    """With an edit in what is tagged."""
    edit(copy)
    copy.commit()
    copy.git("tag", "--force", TAG)


def section(text):
    return lambda copy: copy.edit("docs/CHANGELOG.md", rf"^## \[{re.escape(VERSION)}\] - {DATE}$", text)


OBSTACLES = {
    "no section": (section(f"## [0.0.9] - {DATE}"), f"the newest section of docs/CHANGELOG.md is not {VERSION}'s: ## [0.0.9]"),
    "no date": (section(f"## [{VERSION}] - unreleased"), f"docs/CHANGELOG.md has no date for {VERSION}"),
    "a newer section": (section(f"## [99.0.0] - {DATE}\n\ntext\n\n## [{VERSION}] - {DATE}"), "is not " + VERSION + "'s: ## [99.0.0]"),
    "nothing in it": (section(f"## [{VERSION}] - {DATE}\n\n## [0.0.9] - {DATE}"), f"docs/CHANGELOG.md says nothing of {VERSION}"),
    "unreleased": (section(f"## [Unreleased]\n\n- more\n\n## [{VERSION}] - {DATE}"), "has something under Unreleased: - more"),
    "another version": (lambda copy: copy.edit("CMakeLists.txt", r"(project\(sluice VERSION )[\d.]+", r"\g<1>99.1.2"),
                        f"the tag is {TAG}, and CMakeLists.txt says 99.1.2"),
    "another package": (lambda copy: copy.edit("docker/deb/changelog", r"\A.*", "sluice (99.1.2-1) unstable; urgency=medium"),
                        f"docker/deb/changelog begins with 99.1.2, not with {VERSION}"),
}


@pytest.mark.parametrize("edit, said", OBSTACLES.values(), ids=OBSTACLES)
def test_papers_that_do_not_fit_stop_it(copy, edit, said):
    retagged(copy, edit)
    done = copy.run("release-check.sh", TAG)
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert "may be released" not in done.stdout


def test_an_empty_unreleased_section_stops_nothing(copy):
    retagged(copy, section(f"## [Unreleased]\n\n## [{VERSION}] - {DATE}"))
    assert copy.run("release-check.sh", TAG).returncode == 0


@pytest.mark.parametrize("tag", ["v99.0.0", VERSION, TAG + "-rc.1", "v0" + VERSION, "latest"])
def test_a_tag_that_is_not_the_versions(copy, tag):
    copy.git("tag", tag)
    done = copy.run("release-check.sh", tag)
    assert done.returncode == 1 and (f"the tag {tag} is not of the form" in done.stderr) == (tag != "v99.0.0"), done.stderr
    assert f"the tag is {tag}, and CMakeLists.txt says {VERSION}" in done.stderr


def test_only_the_tagged_commit_as_it_is(copy):
    with open(copy.folder + "/README.md", "a", encoding="utf-8") as f:
        f.write("\n")
    done = copy.run("release-check.sh", TAG)
    assert done.returncode == 1 and "not committed: M README.md" in done.stderr, done.stderr
    copy.commit()
    done = copy.run("release-check.sh", TAG)
    assert done.returncode == 1 and f"the tag {TAG} is " in done.stderr and "not committed" not in done.stderr, done.stderr
    copy.git("tag", "--delete", TAG)
    done = copy.run("release-check.sh", TAG)
    assert done.returncode == 1 and f"there is no tag {TAG}" in done.stderr, done.stderr
    copy.git("tag", TAG)
    with open(copy.folder + "/docker/own.sh", "w", encoding="utf-8"):
        pass
    done = copy.run("release-check.sh", TAG)
    assert done.returncode == 1 and "not committed: ?? docker/own.sh" in done.stderr, done.stderr


@pytest.mark.parametrize("said", ["sluice 99.0.0 (HEAD)", f"sluice {VERSION} (unknown)", f"sluice {VERSION} (PARENT)", f"sluice {VERSION} (0000000)", ""])
def test_a_binary_of_something_else(copy, said):
    named = said.replace("HEAD", copy.git("rev-parse", "--short", "HEAD")).replace("PARENT", copy.git("rev-parse", "--short", "HEAD^"))
    done = copy.run("release-check.sh", TAG, copy.program(named))
    assert done.returncode == 1 and f"the binary says {named}, not sluice {VERSION} (" in done.stderr, done.stderr


# ---- the files

def test_the_files_of_a_release(ready, tmp_path):
    """Source archive, package, bill, sums; and who downloads them checks them."""
    dist = tmp_path / "dist"
    package = build(dist)
    for path in dist.iterdir():
        if not path.name.endswith(".deb"):
            path.unlink()
    assert os.path.basename(package).startswith(f"sluice_{VERSION}-")
    say("/usr/bin/python3", os.path.join(ready.folder, "docker", "sbom.py"), os.path.dirname(os.path.abspath(BINARY)), package)
    done = ready.run("archive.sh")
    assert done.returncode == 0 and done.stdout == f"build/sluice-{VERSION}.tar.gz\n", done.stderr
    shutil.copy(os.path.join(ready.folder, done.stdout.strip()), dist)
    for _ in range(2):  # sums that are there are none of the files
        done = ready.run("checksums.sh", str(dist))
        assert done.returncode == 0 and done.stdout == "", done.stderr
    names = [os.path.basename(package), os.path.basename(package).removesuffix(".deb") + ".cdx.json", f"sluice-{VERSION}.tar.gz"]
    assert [line.split("  ")[1] for line in read(dist, "SHA256SUMS").splitlines()] == sorted(names)
    assert verified(dist).returncode == 0
    for name in names:
        with open(dist / name, "r+b") as f:
            f.seek(100)
            was = f.read(1)
            f.seek(100)
            f.write(bytes([was[0] ^ 1]))
            f.flush()
            assert verified(dist).stdout.count(": FAILED") == 1
            f.seek(100)
            f.write(was)
    assert verified(dist).returncode == 0


def verified(folder):
    return subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False, timeout=30)


def test_the_source_archive_is_the_commit_and_the_charts(ready):
    """The same bytes each time; all that git has; and uPlot, so that npm is not needed."""
    made = os.path.join(ready.folder, "build", f"sluice-{VERSION}.tar.gz")
    contents = []
    for mask in ("022", "077"):
        say("sh", "-c", f"umask {mask} && sh '{ready.folder}/docker/archive.sh'")
        with open(made, "rb") as f:
            contents.append(f.read())
    assert contents[0] == contents[1]
    with tarfile.open(made) as tar:
        files = {one.name.removeprefix(f"sluice-{VERSION}/"): one for one in tar if not one.isdir()}
        assert tar.extractfile(files["docs/CHANGELOG.md"]).read().decode() == read(ready.folder, "docs", "CHANGELOG.md")
    charts = {path for path in files if path.startswith("src/control/dashboard/uplot/")}
    assert {os.path.basename(path) for path in charts} == {"LICENSE", "package-lock.json", "uPlot.iife.min.js", "uPlot.min.css"}
    assert set(files) - charts == set(ready.git("ls-files").splitlines())
    assert files["tests/run.sh"].mode & 0o022 == 0 and files[".ci/run"].mode == 0o755


# ---- the notes

def test_notes_are_the_section_of_the_version(copy):
    with open(copy.folder + "/docs/CHANGELOG.md", "w", encoding="utf-8") as f:
        f.write(f"""# Changelog

Of [versions](versioning.md).

## [{VERSION}] - {DATE}

The first
version.

### Added

- One that is
  long ([a](a.md), [b](b/c.md#d)), and goes
  on [there](https://x.example/y.md) and [here](#below).
  - below it
- Two

## [0.0.9] - 2026-01-01

- old
""")
    done = copy.run("release-notes.sh", TAG, "https://forge.example/docs")
    assert done.stdout == """The first version.

### Added

- One that is long ([a](https://forge.example/docs/a.md), [b](https://forge.example/docs/b/c.md#d)), and goes on [there](https://x.example/y.md)""" \
        + """ and [here](#below).
  - below it
- Two

""", done.stdout
    assert copy.run("release-notes.sh", "v0.0.9").stdout == "- old\n"
    assert "([a](a.md), [b](b/c.md#d))" in copy.run("release-notes.sh", TAG).stdout
    for missing in ("v0.0.8", "v0.0", "v0"):
        done = copy.run("release-notes.sh", missing)
        assert done.returncode == 1 and done.stdout == "" and "has no section" in done.stderr, missing


def test_notes_of_this_version_lead_to_pages_that_are_there(ready):
    done = ready.run("release-notes.sh", TAG, ready.folder + "/docs")
    targets = re.findall(r"\]\(([^)#]+)", done.stdout)
    assert done.returncode == 0 and len(targets) > 10
    assert [target for target in targets if not os.path.exists(target) and not target.startswith("https://")] == []
