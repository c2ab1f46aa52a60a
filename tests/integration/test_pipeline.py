"""The deploy workflow of docs/pipeline.md: config/pipeline against a real daemon and simulated model servers."""
import fcntl
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest
import yaml

from harness.client import ask
from harness.load import Loop
from harness.process import Child
from harness.scale import BINARY, patience
from harness.sluice import Sluice
from harness.wait import wait_for
from harness.walk import ROOT

pytestmark = pytest.mark.once
SCRIPTS = os.path.join(ROOT, "config", "pipeline")
TOKEN = "a-token-that-nobody-may-see"
# With comments and in two styles: what the pipeline changes must leave them as they are.
CONFIG = """# ours
listeners:
  - address: 127.0.0.1:0
admin: {{address: "unix:{socket}", token_file: admin.token}}
state_dir: {state}
workers: 1
pools:
  blue: {{endpoints: [{blue}]}}
  green: {{endpoints: [{green}]}}
routes:
  - name: other   # version: not ours
    match: {{path_prefix: /other/}}
    variants:
      green: {{pool: green, version: v7, weight: 100}}
  - name: chat
    sticky: {{by: [header X-User-Id]}}
    variants:
      blue: {{pool: blue, version: v1, weight: 100}} # version: the old one
      green: # the other slot
        pool: green
        # version: v9
        version: none # what runs there
        weight: 0
    rollout:
      strategy: canary
      start: manual
      baseline: blue
      candidate: green
      horizon: 1s
      steps: [{{weight: 5, for: 1s}}, {steps}]
      guards: {{error_rate: {{margin: 20}}, quality: {{margin: 0.2}}}}
      watch: 1s
"""


def question(number):
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "hello"}]})
    return "POST", "/v1/chat/completions", [("X-User-Id", f"u{number % 3001}"), ("Content-Type", "application/json")], body


class Site:
    """A daemon, a model server for each slot, users, and what a job of the pipeline is given."""

    def __init__(self, folder, blue, green, steps="{weight: 50, for: 1s}", repeats=5):
        self.folder, self.models = str(folder), {"blue": blue, "green": green}
        self.daemon = Sluice(folder, {}, start=False)
        self.daemon.config["admin"]["address"] = "unix:" + self.daemon.socket
        with open(os.path.join(self.folder, "admin.token"), "w", encoding="utf-8") as f:
            f.write(TOKEN + "\n")
        self.text = CONFIG.format(socket=self.daemon.socket, state=self.daemon.config["state_dir"], steps=steps,
                                  blue=blue.url, green=green.url)
        self.daemon.write(self.text)
        self.daemon.start()
        bin_folder = os.path.join(self.folder, "bin")
        os.makedirs(bin_folder)
        os.symlink(os.path.abspath(BINARY), os.path.join(bin_folder, "sluice"))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLUICE", "PIPELINE", "GITHUB"))}
        self.environment |= {
            "PATH": bin_folder + ":" + self.environment["PATH"], "SLUICE_ADMIN": "unix:" + self.daemon.socket,
            "PIPELINE_ROUTE": "chat", "PIPELINE_CONFIG": self.daemon.path, "PIPELINE_WORK": self.folder,
            "PIPELINE_TOKEN_FILE": os.path.join(self.folder, "admin.token"), "PIPELINE_TIMEOUT": "30",
            "PIPELINE_REPEATS": str(repeats), "PYTHONDONTWRITEBYTECODE": "1"}
        self.users = Loop(self.daemon.address, 3, question)
        self.jobs = []

    def begin(self, script, *arguments, **environment):
        name = f"job{len(self.jobs)}"
        child = Child(["sh", os.path.join(SCRIPTS, script + ".sh"), *arguments], self.folder, name, cwd=ROOT,
                      env=self.environment | environment, new_session=True)
        self.jobs.append(child)
        return child

    def run(self, script, *arguments, **environment):
        """(exit code, what it said)"""
        job = self.begin(script, *arguments, **environment)
        code = job.wait(40)
        return code, job.stdout() + job.stderr()

    def route(self):
        return self.daemon.admin().get("/api/v1/routes/chat")

    def live(self):
        return {v["name"]: (v["version"], v["weight"]) for v in self.route()["variants"]}

    def state(self):
        return self.route()["rollout"]["state"]

    def requests(self, slot="green"):
        return next(v["requests"] for v in self.route()["variants"] if v["name"] == slot)

    def file(self):
        with open(self.daemon.path, encoding="utf-8") as f:
            return f.read()

    def summary(self):
        with open(os.path.join(self.folder, "summary.md"), encoding="utf-8") as f:
            return f.read()

    def break_down(self, slot="green"):
        """The slot's server fails every call from the moment on at which it has users."""
        def broken():
            wait_for(lambda: self.state() == "step", patience(30), "the canary has begun")
            ask(self.models[slot].address, "POST", "/simulate", body='{"error_rate": 100}')
        thread = threading.Thread(target=broken)
        thread.start()
        return thread

    def end(self):
        for job in self.jobs:
            if job.running():
                os.killpg(job.pid, signal.SIGKILL)
            job.wait()
        self.users.stop()
        self.daemon.finish()
        for job in self.jobs:
            assert TOKEN not in job.stdout() + job.stderr()


@pytest.fixture
def site(tmp_path, simulate):
    made = []

    def make(**settings):
        quick = ("--latency", "2ms", "--jitter", "1ms", "--token-delay", "0ms")
        made.append(Site(tmp_path, simulate("v1", *quick), simulate("v2", *quick), **settings))
        return made[-1]
    yield make
    for one in made:
        one.end()


def staged(text, version):
    return text.replace("version: none #", f"version: {version} #")


def full(text):
    for was, now in (("version: v1, weight: 100", "version: v1, weight: 0"), ("        weight: 0\n", "        weight: 100\n"),
                     ("baseline: blue", "baseline: green"), ("candidate: green", "candidate: blue")):
        assert text.count(was) == 1, was
        text = text.replace(was, now)
    return text


def test_a_good_version_goes_through_to_full(site):
    here = site(repeats=60)
    code, said = here.run("deploy", "v2")
    assert code == 0, said
    assert here.live() == {"blue": ("v1", 0), "green": ("v2", 100)}
    rollout = here.route()["rollout"]
    assert (rollout["baseline"], rollout["candidate"], rollout["state"]) == ("green", "blue", "idle")
    for words in ("contract: http", "evaluate: v2 0.917", "staged v2 as green", "v2 is promoted", "v2 is the baseline, in slot green"):
        assert words in said, said
    assert re.search(r"evaluate: 480 scores counted, 480 for a rollout", said), said
    # Only the values changed; comments, layout and everything else stand as they stood.
    assert here.file() == full(staged(here.text, "v2"))
    assert "v2 is promoted" in here.summary() and "quality" in here.summary()
    code, said = here.run("deploy", "v2")
    assert code == 0 and "v2 is the baseline already" in said, said
    # The next one goes the other way, into the slot that is free now.
    code, said = here.run("stage", "v3")
    assert code == 0 and here.live() == {"blue": ("v3", 0), "green": ("v2", 100)}, said


def test_one_with_errors_is_rolled_back(site):
    here = site()
    breaking = here.break_down()
    code, said = here.run("deploy", "v2")
    breaking.join()
    assert code == 3, said
    assert here.live() == {"blue": ("v1", 100), "green": ("v2", 0)} and here.state() == "rolled_back"
    assert here.file() == staged(here.text, "v2"), "only staged"
    summary = here.summary()
    assert "## v2 was rolled back" in summary and "failed requests: candidate" in summary and "it is worse" in summary
    code, said = here.run("deploy", "v2")
    assert code == 3 and "rolled back" in said, "it is not tried again by itself: " + said
    code, said = here.run("full", "v2")
    assert code == 1 and "not promoted (rolled_back)" in said, said
    assert here.live()["blue"] == ("v1", 100)
    # By itself; a person may.
    ask(here.models["green"].address, "POST", "/simulate", body='{"error_rate": 0}')
    job = os.path.join(here.folder, "job.md")
    code, said = here.run("deploy", "v2", PIPELINE_RETRY="1", PIPELINE_TIMEOUT="1", GITHUB_STEP_SUMMARY=job)
    assert code == 4 and here.state() == "step" and here.live()["green"][1] >= 5, said
    with open(job, encoding="utf-8") as f:
        assert "v2 has not come to an end within 1 s" in f.read()


def nothing_happened(here):
    assert here.file() == here.text and here.state() == "idle" and here.requests() == 0
    assert here.live() == {"blue": ("v1", 100), "green": ("none", 0)}
    assert not glob.glob(here.daemon.path + ".pipeline*")


def test_one_that_fails_before_never_gets_traffic(site, tmp_path):
    here = site()
    ask(here.models["green"].address, "POST", "/simulate", body='{"error_rate": 100}')
    code, said = here.run("deploy", "v2")
    assert code == 1 and "answer: Failed: /v1/models is answered with 500" in said and "evaluate:" not in said, said
    nothing_happened(here)
    # It speaks as it should, and says too little.
    ask(here.models["green"].address, "POST", "/simulate", body='{"error_rate": 0, "tokens": 3}')
    code, said = here.run("deploy", "v2")
    assert code == 1 and ": refused" in said and "sluice: contains: water" in said, said
    nothing_happened(here)
    with open(tmp_path / "evaluation.json", encoding="utf-8") as f:
        report = json.load(f)
    assert report["passed"] is False and report["baseline"]["quality"] > 0.9 and report["quality"] < 0.8
    # As bad as the old one, but good enough is asked for too; then only the comparison is.
    ask(here.models["blue"].address, "POST", "/simulate", body='{"tokens": 3}')
    code, said = here.run("evaluate", "v2")
    assert code == 1 and "needed 0.800" in said, said
    assert here.run("evaluate", "v2", PIPELINE_MIN="0")[0] == 0
    # What brings the version there fails.
    (tmp_path / "deploy").write_text('echo "$@"; exit 9\n', encoding="utf-8")
    code, said = here.run("deploy", "v2", PIPELINE_DEPLOY=str(tmp_path / "deploy"))
    assert code == 9 and f"v2 green {here.models['green'].url}" in said, said
    nothing_happened(here)


def test_a_file_that_is_broken_changes_nothing(site):
    here = site()
    for broken, words in ((here.text + "nonsense: 1\n", "`sluice check` refuses it"),
                          (here.text.replace("      start: manual\n", ""), "start: manual"),
                          (here.text.replace("        version: none # ", "        # "), "is there 0 times"),
                          (here.text.replace("name: chat", "name: chats"), "the route chat is there 0 times")):
        assert broken != here.text
        here.daemon.write(broken)
        inode = os.stat(here.daemon.path).st_ino
        code, said = here.run("stage", "v2")
        assert code == 1 and words in said, said
        assert here.file() == broken and os.stat(here.daemon.path).st_ino == inode
        assert not glob.glob(here.daemon.path + ".pipeline*")
    here.daemon.write(here.text)
    code, said = here.run("stage", "v2, weight: 100")
    assert code == 1 and "a version has" in said, said
    # What `sluice check` accepts and the daemon does not take: from somebody without the token.
    code, said = here.run("stage", "v2", PIPELINE_TOKEN_FILE="/dev/null")
    assert code != 0 and "as it was" in said, said
    nothing_happened(here)


def test_a_job_that_died_is_run_again(site):
    here = site(steps="{pause: manual}", repeats=60)
    first = here.begin("deploy", "v2")
    wait_for(lambda: here.state() == "paused", patience(30), "the canary waits")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = here.begin("canary", "v2")
    wait_for(lambda: "scores counted" in second.stdout(), patience(15), "the second goes on")
    assert "runs already (paused)" in second.stdout() and " 0 scores counted" in second.stdout()
    # A pipeline for another version, meanwhile and without a lock, gets nowhere.
    for script, environment, words in (("deploy", {}, "another pipeline has the lock"),
                                       ("deploy", {"PIPELINE_LOCKED": "1"}, "a rollout of v2 is under way (paused)"),
                                       ("stage", {"PIPELINE_LOCKED": "1"}, "a rollout of v2 is under way (paused)"),
                                       ("test", {}, "green has traffic"), ("evaluate", {}, "green has traffic")):
        code, said = here.run(script, "v3", **environment)
        assert code == 75 and words in said, said
    assert here.daemon.admin(TOKEN).ask("POST", "/api/v1/routes/chat/promote").status == 200
    assert second.wait(30) == 0, second.stdout() + second.stderr()
    # It died between the promotion and the end: what is there is not the baseline yet.
    code, said = here.run("stage", "v3")
    assert code == 75 and "v2 is promoted and not the baseline yet" in said, said
    # And it had written the file, and not loaded it.
    with open(here.daemon.path, encoding="utf-8") as f:
        half = full(f.read())
    here.daemon.write(half)
    with open(here.daemon.path + ".lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        third = here.begin("deploy", "v2", PIPELINE_LOCK_WAIT="30")
        code, said = here.run("deploy", "v2")
        assert code == 75 and "has the lock" in said and third.running() and not third.stdout(), said
    assert third.wait(30) == 0 and "v2 is the baseline, in slot green" in third.stdout(), third.stdout() + third.stderr()
    assert here.live() == {"blue": ("v1", 0), "green": ("v2", 100)} and here.state() == "idle" and here.file() == half


def test_one_that_takes_too_long(site):
    here = site(steps="{pause: manual}")
    code, said = here.run("deploy", "v2", PIPELINE_TIMEOUT="1")
    assert code == 4 and "has not come to an end within 1 s" in here.summary(), said
    assert here.state() in ("step", "paused") and here.live()["green"] == ("v2", 5), "it goes on, guarded"
    code, said = here.run("canary", "v2", PIPELINE_TIMEOUT="1", PIPELINE_ON_TIMEOUT="rollback")
    assert code == 4 and here.live()["green"] == ("v2", 0) and here.state() == "rolled_back", said
    code, said = here.run("back", "v2")
    assert code == 0 and "v2 has no traffic" in said, said
    # Somebody staged another in between: what was tested is not what is there.
    assert here.run("stage", "v3")[0] == 0
    code, said = here.run("canary", "v2")
    assert code == 75 and "v3 is staged, not v2" in said, said
    code, said = here.run("canary", "v3", PIPELINE_TIMEOUT="1")
    assert code == 4 and "not of a v3 that passed" in said and here.live()["green"] == ("v3", 5), said
    code, said = here.run("back", "v3")
    assert code == 0 and here.live()["green"] == ("v3", 0) and "taken back" in here.summary(), said


def test_the_daemon_is_away(site):
    here = site()
    code, said = here.run("deploy", "v2", SLUICE_ADMIN="unix:/nonexistent/admin.sock")
    assert code == 5, said
    nothing_happened(here)


# ---- the files themselves

@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_the_scripts_are_clean():
    scripts = sorted(glob.glob(SCRIPTS + "/*.sh"))
    done = subprocess.run(["shellcheck", "-x", "-P", "SCRIPTDIR", *scripts], capture_output=True, text=True, timeout=60, check=False)
    assert len(scripts) == 8 and done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["deploy.yml", "gitlab-ci.yml"])
def test_the_workflows_call_scripts_that_are_there(name):
    with open(os.path.join(SCRIPTS, name), encoding="utf-8") as f:
        text = f.read()
    assert isinstance(yaml.safe_load(text), dict)
    called = re.findall(r"config/pipeline/(\w+\.sh)", text)
    assert called and all(os.path.exists(os.path.join(SCRIPTS, script)) for script in called)
    with open(os.path.join(ROOT, "docs", "pipeline.md"), encoding="utf-8") as f:
        assert text in f.read(), "docs/pipeline.md shows it as it is"
