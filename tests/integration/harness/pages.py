"""What the project's pages name, checked against what there is: links, paths, metrics, configuration, commands, variables.

Each check takes a page's path and text and yields "LINE: what is wrong"."""
import functools
import glob
import os
import re
import subprocess

import yaml

from .sluice import cli
from .walk import ROOT, read

GENERATED = {"docs/configuration.md", "docs/metrics.md"}  # by unit tests, from the tables themselves
TREES = r"(?:src|include|config|tests|docs|docker|\.github|\.ci)"
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
EXTENSION = re.compile(r"\.(c|h|py|sh|md|yaml|yml|json|jsonl|txt|js|css|html|dict|ar|cmake|service|socket|deb|log|conf|cfg|sock|pem|key|sum|so)$")


def tracked(*patterns):
    """The files that git has, or would have, below these folders or of these names."""
    found = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
                           capture_output=True, text=True, timeout=30, check=False).stdout.split("\0")
    return sorted(path for path in found if path and os.path.exists(os.path.join(ROOT, path)))


def pages():
    return tracked("*.md")


def content(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def numbered(text, fences=False):
    """(line, text) of the prose; with `fences` those within them too."""
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            inside = not inside
        elif fences or not inside:
            yield number, line


# ---- links

def slug(heading):
    """The anchor that a forge makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", "")).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@functools.lru_cache(maxsize=None)
def anchors(path):
    return {slug(line.lstrip("#")) for _, line in numbered(content(path)) if re.match(r"#+ ", line)}


def links(path, text):
    for number, line in numbered(text):
        for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("`code`", line)):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            there = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if file and not os.path.exists(os.path.join(ROOT, there)):
                yield f"{number}: the link {target} leads nowhere"
            elif anchor and there.endswith(".md") and anchor not in anchors(there):
                yield f"{number}: {there} has no heading for #{anchor}"


# ---- paths

def there_is(word):
    """A path of the repository; words in capitals and in <> stand for names, {a,b} for several."""
    several = re.search(r"\{([^{}]*)\}", word)
    if several:
        return all(there_is(word.replace(several[0], one.strip(), 1)) for one in several[1].split(","))
    pattern = re.sub(r"<[^<>]*>|\b[A-Z]{2,}\b(?![a-z.])", "*", word.rstrip("/"))
    if os.path.exists(os.path.join(ROOT, word)):
        return True
    return pattern != "*" and bool(glob.glob(os.path.join(ROOT, pattern)))


def paths(path, text):
    for number, line in numbered(text, fences=True):
        for word in re.findall(rf"(?<![\w/.$}}~-]){TREES}/[\w./*{{}},<>-]+", line):
            word = re.sub(r"[.,…]+$", "", word)
            if not there_is(word):
                yield f"{number}: there is no {word}"


# ---- metrics

@functools.lru_cache(maxsize=None)
def metrics():
    """Those of the daemon, and what is made of histograms and summaries."""
    names = set()
    for name, kind in re.findall(r"^\| `(sluice_\w+)` \| (\w+) \|", content("docs/metrics.md"), re.M):
        names |= {name} | {name + end for end in {"histogram": ("_bucket", "_sum", "_count"),
                                                 "summary": ("_sum", "_count")}.get(kind, ())}
        if kind == "counter":
            names.add(name.removesuffix("_total"))  # its family in OpenMetrics
    return names


@functools.lru_cache(maxsize=None)
def rules():
    text = content("config/prometheus/rules.yaml") + content("config/prometheus/alerts.yaml")
    return set(re.findall(r"^\s*-? *record: (\S+)", text, re.M)), set(re.findall(r"^\s*-? *alert: (\S+)", text, re.M))


@functools.lru_cache(maxsize=None)
def other_names():
    """What else begins with sluice_: programs of the build, files, and the cookie of the examples."""
    text = "".join(content(path) for path in ("CMakeLists.txt", "tests/CMakeLists.txt"))
    return set(re.findall(r"\bsluice_\w+", text)) | set(re.findall(r"cookie: (\w+)", content("config/canary.yaml")))


def metric_names(path, text):
    records, alerts = rules()
    for number, line in numbered(text, fences=True):
        for name in re.findall(r"(?<![\w/:.-])sluice_[a-z_]+(?![\w*…./-]*\.\w|\w|\*|…|_)", line):
            if name not in metrics() | other_names():
                yield f"{number}: there is no metric {name}"
        for name in re.findall(r"(?<![\w/.])sluice:[a-z_][a-z_:0-9]*", line):
            if name not in records:
                yield f"{number}: there is no recording rule {name}"
        for name in re.findall(r"`(Sluice[A-Z]\w+)`", line):
            if name not in alerts:
                yield f"{number}: there is no alert {name}"


# ---- configuration

@functools.lru_cache(maxsize=None)
def table():
    """Section → key → (type, the section of what it holds, if any), from the generated reference."""
    sections, named, now = {}, {}, None
    for line in content("docs/configuration.md").split("\n"):
        if match := re.match(r"## (.*)", line):
            now = sections.setdefault(match[1], {})
            named[slug(match[1])] = match[1]
        elif now is not None and (match := re.match(r"\| \[?`([\w.<>-]+)`(?:\]\(#([^)]*)\))? \| ([^|]*) \|", line)):
            now[match[1]] = (match[3], match[2])
    return {name: {key: (kind, named[anchor] if anchor else None) for key, (kind, anchor) in keys.items()}
            for name, keys in sections.items()}


def holds(section, value):
    """None when the mapping may stand in the section, else the key that may not."""
    for key, below in value.items():
        if key not in table()[section]:
            return str(key)
        kind, child = table()[section][key]
        if child is None or below is None:
            continue
        for one in below.values() if kind.startswith("mapping by name") and isinstance(below, dict) else \
                below if isinstance(below, list) else [below]:
            if isinstance(one, dict) and (wrong := holds(child, one)):
                return f"{key}.{wrong}"
    return None


def stands_somewhere(value):
    """None when a fragment may stand somewhere in the file, else what is wrong at the place where most of it may."""
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else [value]
    wrongs = []
    for section, keys in table().items():
        if all(any(key in keys for key in item) for item in items if item):
            wrongs.append(next((wrong for item in items if (wrong := holds(section, item))), None))
    if not wrongs:
        return "none of its keys stand together anywhere"
    return None if None in wrongs else max(wrongs, key=lambda wrong: wrong.count("."))


def yaml_blocks(path, text):
    del text
    for block in read(os.path.join(ROOT, path)):
        if block.kind != "yaml":
            continue
        try:
            value = yaml.load(block.text, Loader=yaml.BaseLoader)  # every value is text: `on` is a key
        except yaml.YAMLError as error:
            yield f"{block.line}: no YAML: {error}"
            continue
        if isinstance(value, dict) and {"routes", "pools"} <= set(value) and "listeners" in value:
            yield from (f"{block.line}: sluice check: {line}" for line in refused(block.text))
        elif isinstance(value, (dict, list)) and (wrong := stands_somewhere(value)):
            yield f"{block.line}: not of the configuration: {wrong}"


def refused(text):
    """What sluice check says of a whole file; files that it names may be the reader's own."""
    done = cli("check", "/dev/stdin", stdin=text)
    return [line for line in (done.stdout + done.stderr).split("\n")
            if re.match(r"\S+:\d+:\d+: ", line) and "cannot read" not in line and "No such file" not in line] if done.returncode else []


@functools.lru_cache(maxsize=None)
def chains():
    """Every key as it is written with dots, from any section on: rollout.steps, tls.client_ca …"""
    found = set()
    for section, keys in table().items():
        before = [] if section == "The file" else [part.removesuffix("[]") for part in section.split(".") if part != "NAME"]
        for key in keys:
            whole = [*before, key]
            found |= {".".join(whole[i:]) for i in range(len(whole))}
    return found


@functools.lru_cache(maxsize=None)
def holders():
    return {chain.split(".")[0] for chain in chains() if "." in chain}


def configuration_keys(path, text):
    """`rollout.steps` and the like: where the first word is one of a section, the rest must be of it."""
    for number, line in numbered(text):
        for word in CODE.findall(line):
            word = re.sub(r"\[\]|\.NAME\b", "", re.sub(r":( .*)?$", "", word))
            if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", word) and word.split(".")[0] in holders() and word not in chains() \
                    and not EXTENSION.search(word):
                yield f"{number}: there is no key {word}"



# ---- commands and variables

@functools.lru_cache(maxsize=None)
def usage(command):
    done = cli(*([command] if command else []), "--help")
    return done.stdout + done.stderr


@functools.lru_cache(maxsize=None)
def commands():
    return set(re.findall(r"^  (\w[\w-]*) ", usage(""), re.M))


# Where a command begins in what is typed.
STARTS = r"(?:^\s*(?:[#$] )?|[(;|&!{]\s*|\b(?:do|then|exec|sudo|timeout \S+) |\w=\S+ )"


def command_lines(path, text):
    """`sluice COMMAND --option`, in code and in what is typed."""
    del path
    inside = None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            inside = None if inside is not None else line[3:].strip()
            continue
        for piece in [line] if inside in ("sh", "console") else CODE.findall(line) if inside is None else []:
            piece = piece.replace("exec sluice sluice", "exec; sluice")  # in the container of that name
            before = STARTS if inside else r"^(?:\w+=\S+ |sudo )*"
            for call in re.finditer(before + r"sluice ([a-z][\w-]*)((?: [^|;&`]*)?)", piece):
                if call[1] not in commands():
                    yield f"{number}: there is no command sluice {call[1]}"
                    continue
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", call[2]):
                    if option != "--help" and not re.search(rf"{option}\b(?!-)", usage(call[1])):
                        yield f"{number}: sluice {call[1]} has no {option}"


@functools.lru_cache(maxsize=None)
def sources():
    text = []
    for folder in ("src", "tests", "docker", "config"):
        for base, _, files in os.walk(os.path.join(ROOT, folder)):
            for name in files:
                if re.search(r"\.(c|h|py|sh|txt|cmake|js)$|^Dockerfile$|CMakeLists", name) and name != "test_docs_names.py":
                    with open(os.path.join(base, name), encoding="utf-8", errors="replace") as f:
                        text.append(f.read())
    return "".join(text) + content("CMakeLists.txt") + content("CMakePresets.json")


def variables(path, text):
    del path
    for number, line in numbered(text, fences=True):
        for name in re.findall(r"(?<![\w-])SLUICE_[A-Z_]+\b", line):
            if not re.search(rf"\b{name}\b", sources()):
                yield f"{number}: nothing reads {name}"


CHECKS = [links, paths, metric_names, yaml_blocks, configuration_keys, command_lines, variables]
