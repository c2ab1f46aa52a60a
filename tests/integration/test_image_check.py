"""What is done with the image: docker/check-image.sh, image.sh, push-image.sh, with a stand-in for the engine
(harness/docker_stand_in.py), in which the container is the program under test. Each thing that may be wrong with an image is
wrong once."""
import gzip
import json
import os
import re
import signal
import subprocess

import pytest

from harness.image import files_of_an_image, image
from harness.scale import BINARY, patience
from harness.walk import ROOT, own_network

pytestmark = pytest.mark.once
with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as cmake:
    VERSION = re.search(r"project\(sluice VERSION ([\d.]+)", cmake.read())[1]
STAND_IN = os.path.join(ROOT, "tests", "integration", "harness", "docker_stand_in.py")


@pytest.fixture(scope="module", name="files")
def the_files(tmp_path_factory):
    return image(tmp_path_factory.mktemp("image") / "files.tar", files_of_an_image())


@pytest.fixture(name="script")
def a_script(tmp_path, files):
    """script(name, *arguments, fault=…) -> what it did, in a network of its own: the ports of the image are fixed."""
    assert own_network()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").symlink_to(STAND_IN)
    os.chmod(STAND_IN, 0o755)

    def run(path, *arguments, fault=""):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SLUICE")}
        environment |= {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}:/usr/sbin", "STAND_IN_STATE": str(tmp_path), "STAND_IN_FAULT": fault,
                        "STAND_IN_SLUICE": os.path.abspath(BINARY), "STAND_IN_FILES": str(files), "SLUICE_PATIENCE": "2" if fault in ENDLESS else "30",
                        "SOURCE_DATE_EPOCH": "1700000000"}
        with subprocess.Popen(["unshare", "-n", "sh", "-c", 'ip link set lo up && exec sh "$@"', "sh", str(path), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True) as process:
            try:
                out, err = process.communicate(timeout=patience(40))
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        return subprocess.CompletedProcess(path, process.returncode, out, err)
    return run


def calls(tmp_path):
    return (tmp_path / "calls").read_text(encoding="utf-8").splitlines()


ENDLESS = ("starting", "deaf", "stubborn")  # what is waited for does not come
CHECK = os.path.join(ROOT, "docker", "check-image.sh")


def test_an_image_that_is_as_it_should_be(script, tmp_path):
    done = script(CHECK, "sluice:x")
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line.split(":")[0].split(",")[0] for line in done.stdout.splitlines()]
    assert said == ["files", "user", "version", "healthy", "reloaded at HUP", "ended at TERM", "demo", "sluice"], done.stdout
    assert not [path for path in os.listdir(tmp_path) if path.endswith(".image")], "a container is left"


@pytest.mark.parametrize("fault, said", [
    ("big", "its files have 60000000 bytes, not below 60000000"), ("empty", "its files have 10000 bytes: there is nothing in it"), ("root", "it runs as root"),
    ("zero", "it runs as 0:0"), ("version", 'it says "sluice 9.9.9 (abcdef0)", not sluice'), ("exec", "`sluice version` fails"),
    ("dies", "it is exited"), ("none", "it is running none"), ("unhealthy", "it is running unhealthy"), ("starting", "healthy, not within 2 s"),
    ("deaf", "reloaded at HUP, not within 2 s"), ("stubborn", "ended at TERM, not within 2 s"), ("killed", "it ended with 137 at TERM"),
    ("demo", "the demo fails")])
def test_an_image_that_is_not(script, tmp_path, fault, said):
    done = script(CHECK, "sluice:x", fault=fault)
    assert done.returncode == 1 and f"check-image.sh: sluice:x: {said}" in done.stderr, done.stdout + done.stderr
    assert "as it should be" not in done.stdout
    assert not [path for path in os.listdir(tmp_path) if path.endswith(".image")], "a container is left"


def test_the_image_of_a_release_and_its_bill(script, tmp_path):
    """In a copy of the folder, so that this one's build/image stays as it is."""
    for path in ("docker", "config"):
        subprocess.run(["cp", "-r", os.path.join(ROOT, path), tmp_path], check=True, timeout=30)
    subprocess.run(["cp", os.path.join(ROOT, "CMakeLists.txt"), tmp_path], check=True, timeout=30)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=test", "-c", "user.email=test@sluice.example"]
    for arguments in (["init", "-q"], ["add", "docker"], ["commit", "-q", "-m", "a copy"]):
        subprocess.run([*git, *arguments], check=True, timeout=30)
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    done = script(tmp_path / "docker" / "image.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    made = [tmp_path / line for line in done.stdout.splitlines()[-2:]]
    assert [path.name for path in made] == [f"sluice-{VERSION}-image-amd64.cdx.json", f"sluice-{VERSION}-image-amd64.tar.gz"]
    assert sorted(os.listdir(tmp_path / "build" / "image")) == [path.name for path in made]
    bom = json.loads(made[0].read_text(encoding="utf-8"))
    assert bom["metadata"]["component"]["type"] == "container" and bom["metadata"]["timestamp"].startswith("2023-11-14")
    assert gzip.decompress(made[1].read_bytes()) == f"sluice:{VERSION}-amd64\n".encode(), "what `docker save` gives"
    assert [line for line in calls(tmp_path) if line.startswith("build ")] == [
        f"build --file docker/Dockerfile --build-arg SLUICE_REVISION={commit} {rest} ."
        for rest in ("--target build --tag sluice-build", f"--tag sluice:{VERSION}-amd64")]
    failed = script(tmp_path / "docker" / "image.sh", fault="root")
    assert failed.returncode == 1 and "it runs as root" in failed.stderr, "an image that fails its check is none of a release"
    assert script(tmp_path / "docker" / "image.sh", fault="build").returncode == 1


def test_the_build_stage_is_called_so():
    with open(os.path.join(ROOT, "docker", "Dockerfile"), encoding="utf-8") as f:
        text = f.read()
    assert " AS build\n" in text and "WORKDIR /src\n" in text and "COPY . .\n" in text, "docker/image.sh asks it for the bill"


def test_images_of_each_architecture_become_one(script, tmp_path):
    done = script(os.path.join(ROOT, "docker", "push-image.sh"), "ghcr.example/Owner/Sluice", "0.1.0", "a/sluice-0.1.0-image-amd64.tar.gz",
                  "a/sluice-0.1.0-image-arm64.tar.gz")
    assert (done.returncode, done.stdout) == (0, "sha256:" + "1" * 64 + "\n"), done.stderr
    name = "ghcr.example/owner/sluice:0.1.0"
    assert calls(tmp_path) == [
        "load --input a/sluice-0.1.0-image-amd64.tar.gz", f"tag sluice:0.1.0-amd64 {name}-amd64", f"push {name}-amd64",
        "load --input a/sluice-0.1.0-image-arm64.tar.gz", f"tag sluice:0.1.0-arm64 {name}-arm64", f"push {name}-arm64",
        f"buildx imagetools create --tag {name} {name}-amd64 {name}-arm64",
        "buildx imagetools inspect --format {{.Manifest.Digest}} " + name]


@pytest.mark.parametrize("fault", ["load", "tag", "push"])
def test_a_push_that_fails_ends_it(script, fault):
    done = script(os.path.join(ROOT, "docker", "push-image.sh"), "r", "0.1.0", "x-amd64.tar.gz", fault=fault)
    assert done.returncode == 1 and done.stdout == ""
