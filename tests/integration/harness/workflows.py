"""The workflows of .github/workflows: their jobs, and what their steps type."""
import glob
import os
import re
from dataclasses import dataclass

import yaml

from .walk import ROOT

FOLDER = os.path.join(ROOT, ".github", "workflows")


def paths():
    return sorted(glob.glob(os.path.join(FOLDER, "*.yml")))


@dataclass
class Workflow:
    """One file. `on` is what YAML 1.1 takes for a truth value."""
    name: str
    text: str
    tree: dict

    @property
    def on(self):
        return self.tree[True]

    @property
    def jobs(self):
        return self.tree["jobs"]

    def steps(self):
        """(job, step) of every job that has steps of its own."""
        return [(name, step) for name, job in self.jobs.items() for step in job.get("steps", [])]


def load(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    return Workflow(os.path.basename(path), text, yaml.safe_load(text))


def workflows():
    return [load(path) for path in paths()]


def typed():
    """(workflow, job, line) of everything that a step types."""
    return [(flow, name, step["run"]) for flow in workflows() for name, step in flow.steps() if "run" in step]


def scripts(line):
    """The scripts of the repository that a line runs: `sh x.sh …`, `python3 x.py …`, `.ci/run …`; those that it unpacked first
    by the path they have here."""
    found = re.findall(r"(?:^|&& )(?:sh|(?:/usr/bin/)?python3) (?!-)(\S+)", line) + re.findall(r"^(\.\S+)", line)
    return [re.sub(r"^build/try/", "", path) for path in found]


def lists():
    """Files with names of packages that a line installs."""
    return sorted({path for _, _, line in typed() for path in re.findall(r"\bdocker/packages-\S+\.txt", line)})
