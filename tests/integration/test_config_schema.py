"""config/sluice.schema.json and `sluice check` say the same of what a schema can express."""
import collections
import glob
import json
import os
import random
import re

import jsonschema
import pytest
import yaml

from harness import mutate, yaml_core
from harness.sluice import cli

pytestmark = pytest.mark.once
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DATA = os.path.join(ROOT, "tests", "data")
MUTANTS = int(os.environ.get("SLUICE_MUTANTS", "500"))
SEED = int(os.environ.get("SLUICE_SEED", "10"))
BASE = """listeners: [{address: 127.0.0.1:8080}]
pools: {blue: {endpoints: [http://127.0.0.1:8001]}, green: {endpoints: [http://127.0.0.1:8002]}}
routes: [{name: chat, variants: {stable: {pool: blue}}}]
"""


def read(path, mode="r"):
    with open(path, mode, encoding=None if "b" in mode else "utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def schema():
    text = json.loads(read(os.path.join(ROOT, "config", "sluice.schema.json")))
    jsonschema.Draft7Validator.check_schema(text)
    return jsonschema.Draft7Validator(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the files that samples name."""
    folder = tmp_path_factory.mktemp("samples")
    os.symlink(os.path.join(ROOT, "config", "prompts"), folder / "prompts")
    for name, text in (("preview.token", "t"), ("etcd.password", "p"), ("admin.token", "t")):
        (folder / name).write_text(text + "\n", encoding="utf-8")
    return folder


def refused(place, text):
    path = place / "sample.yaml"
    path.write_text(text, encoding="utf-8")
    done = cli("check", path, cwd=place)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr if done.returncode else ""


def complaints(schema, text):
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in schema.iter_errors(yaml_core.load(text))]


def uncommented(text):
    """config/reference.yaml with what it comments out: a # before a key, or before two spaces."""
    return re.sub(r"(?m)^( *)#(?=[^ ]|  )", r"\1", text)


def examples():
    for path in sorted(glob.glob(os.path.join(ROOT, "config", "*.yaml"))):
        yield os.path.relpath(path, ROOT), read(path)
    whole = uncommented(read(os.path.join(ROOT, "config", "reference.yaml")))
    # A fleet and a rolling update exclude each other; there are no certificates here.
    whole = re.sub(r"(?ms)^  - address: \"\[::\]:8443\"\n.*?(?=^  - address: unix)", "", whole)
    whole = re.sub(r"(?ms)^  tls:\n    certificate: tls/admin.pem\n.*?\n\n", "\n", whole)
    whole = re.sub(r"(?m)^ +tls: \{.*\n|^    tls:\n(      .*\n)+|^user: .*\n", "", whole)
    yield "reference, a fleet", re.sub(r"(?ms)^  - name: one-by-one\n.*?(?=^  - name: prompts)", "", whole)
    yield "reference, rolling", re.sub(r"(?ms)^fleet:\n.*?\n\n", "\n", whole)


def documented(schema):
    """YAML of the documentation: whole files, and sections of one, which stand in the smallest file then."""
    sections = set(schema.schema["properties"])
    for path in [os.path.join(ROOT, "README.md"), *sorted(glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True))]:
        for i, block in enumerate(re.findall(r"(?ms)^```yaml\n(.*?)^```", read(path))):
            try:
                value = yaml_core.load(block)
            except yaml.YAMLError:
                continue    # a fragment with a gap
            if isinstance(value, dict) and value and set(value) <= sections:
                yield f"{os.path.relpath(path, ROOT)}, block {i}", mutate.flow({**yaml_core.load(BASE), **value})


def test_what_is_right_passes_both(schema, place):
    wrong = {}
    for name, text in examples():
        wrong[name] = [refused(place, text), complaints(schema, text)]
    assert len(wrong) >= 7 and not any(any(said) for said in wrong.values()), wrong


def test_of_the_documentation_both_say_the_same(schema, place):
    """A section may name a file, a pool or a variant that is only told of."""
    count = 0
    for name, text in documented(schema):
        said, marked = refused(place, text), complaints(schema, text)
        assert not marked or said, (name, marked)
        assert not said or marked or re.search(r"cannot (read|open)|No such file|names pool|names no variant|neither a guard", said), \
            (name, said)
        count += 1
    assert count >= 5


def outcome(schema, path):
    try:
        return "seen" if complaints(schema, read(path, "rb")) else "unseen"
    except (yaml.YAMLError, UnicodeDecodeError):
        return "no YAML"


def test_what_is_wrong_is_refused_by_both_or_listed(schema):
    listed = {name: reason for reason, names in yaml.safe_load(read(os.path.join(DATA, "schema", "unseen.yaml"))).items()
              for name in names}
    wrong = []
    paths = glob.glob(os.path.join(DATA, "bad-config", "*.yaml"))
    for path in sorted(paths):
        name = os.path.basename(path)[:-len(".yaml")]
        reason = listed.pop(name, None)
        expected = "seen" if not reason else "no YAML" if reason.startswith("no YAML") else "unseen"
        if cli("check", path).returncode != 1:
            wrong.append(f"{name}: accepted by sluice check")
        if outcome(schema, path) != expected:
            wrong.append(f"{name}: {outcome(schema, path)}, not {expected} ({reason})")
    assert len(paths) >= 100 and not wrong and not listed, (wrong, listed)


# What check says of mistakes that a schema cannot see, as in unseen.yaml.
REASONS = (
    ("the environment", r"environment variable|SLUICE_NOT_SET"),
    ("a reference", r"needs a `price`|names (no variant|pool|`)|neither a guard nor a signal|is the baseline and cannot|is never reached|"
                    r"of experiment|is set by `json` as well"),
    ("twice", r"already, in line|is the same header|is the admin address"),
    ("a sum or an order", r"sum to|must grow|is never looked at"),
    ("a file", r"cannot (read|open|use)|No such file|is empty$|is a folder"),
    ("digits", r"two decimals|must be a whole number|is an address in the network|must be whole seconds"),
)


def test_no_mistake_is_the_schemas_alone(schema, place, capsys):
    """What the schema refuses, check refuses: nobody is told to correct what is right."""
    samples = [yaml_core.load(text) for _, text in examples()]
    pool = [(key, holder[key]) for sample in samples for holder, key in mutate.places(sample)]
    rng = random.Random(SEED)
    count, unseen, stricter = collections.Counter(), collections.Counter(), []
    for _ in range(MUTANTS):
        text = mutate.flow(mutate.mutated(rng, rng.choice(samples), pool))
        said, marked = refused(place, text), complaints(schema, text)
        count["refused" if said else "accepted"] += 1
        count["seen"] += bool(said and marked)
        if marked and not said:
            stricter.append((marked[:2], text[:200]))
        if said and not marked:
            line = said.splitlines()[0].split(": ", 1)[-1]
            unseen[next((name for name, form in REASONS if re.search(form, said + text * (name == "the environment"))), line)] += 1
    with capsys.disabled():
        print(f"\nof {count['refused']} refusals of check the schema sees {count['seen']} "
              f"({100 * count['seen'] / count['refused']:.1f} %); the others: {dict(unseen.most_common())}")
    assert not stricter, (len(stricter), stricter[:3])
    assert count["accepted"] >= MUTANTS / 50 and count["seen"] >= 0.85 * count["refused"]
