"""Renders a Helm chart. Helm is not to be had from Debian's packages or npm's, and these are the parts of it that our chart uses:
values with their schema, named templates, if, with and range, pipelines, and some twenty functions. Whatever else a template says is a
mistake here, also a value that is not in values.yaml (Helm prints nothing for it). tests/tools/helm/main.go renders with Go's own
text/template and Sprig, as Helm does: with it our chart was held against this by hand, and tests/data/helm/cases.json was made,
which the tests hold against this. What differs is which quotes toYaml writes.

    Chart(folder).render({"replicas": 3, …}) -> {"deployment.yaml": text, …}
"""
import glob
import hashlib
import json
import os
import re

import jsonschema
import yaml


class Refused(Exception):
    """What Helm says instead of rendering."""


class Mistake(Exception):
    """A template that this renderer does not understand, or that names what is not there."""


# ---- from text to a tree

ACTION = re.compile(r"\{\{(- )?(.*?)( -)?\}\}", re.S)
TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+)|(\$?(?:\.[A-Za-z]\w*)+|\$|\.)|([A-Za-z]\w*)|([()|]))')


def pieces(text):
    """Text and actions by turns; what "{{- " and " -}}" eat is gone."""
    found, at, eat = [], 0, False
    for action in ACTION.finditer(text):
        plain = text[at:action.start()]
        plain = plain.lstrip() if eat else plain
        found.append(("text", plain.rstrip() if action[1] else plain))
        found.append(("action", action[2].strip()))
        at, eat = action.end(), bool(action[3])
    plain = text[at:]
    return [*found, ("text", plain.lstrip() if eat else plain)]


def tokens(text):
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            raise Mistake(f"not understood: {text[at:]!r}")
        kind = next(i for i, group in enumerate(match.groups()) if group is not None)
        found.append((("string", "number", "path", "word", "mark")[kind], match[kind + 1]))
        at = match.end()
    return found


class Expression:
    """A pipeline: commands, each a list of operands, of which the last gets what the one before it made."""

    def __init__(self, text):
        self.rest = tokens(text)
        self.tree = self.pipeline()
        if self.rest:
            raise Mistake(f"too much in {text!r}")

    def pipeline(self):
        commands = [self.command()]
        while self.rest and self.rest[0] == ("mark", "|"):
            self.rest.pop(0)
            commands.append(self.command())
        return commands

    def command(self):
        operands = []
        while self.rest and self.rest[0] not in (("mark", "|"), ("mark", ")")):
            kind, word = self.rest.pop(0)
            if (kind, word) == ("mark", "("):
                operands.append(("pipeline", self.pipeline()))
                if not self.rest or self.rest.pop(0) != ("mark", ")"):
                    raise Mistake("a parenthesis does not end")
            else:
                operands.append((kind, word))
        if not operands:
            raise Mistake("an empty command")
        return operands


def parse(text, templates):
    """The nodes of a file; what it defines goes into `templates`."""
    rest = pieces(text)
    nodes, end = block(rest, templates)
    if end:
        raise Mistake(f"{end!r} without a beginning")
    return nodes


def block(rest, templates):
    """(nodes, the action that ended them): up to end, else, or the end of the file."""
    nodes = []
    while rest:
        kind, text = rest.pop(0)
        word, _, more = text.partition(" ")
        if kind == "text":
            nodes.append(("text", text))
        elif text.startswith("/*"):
            if not text.endswith("*/"):
                raise Mistake(f"a comment does not end: {text!r}")
        elif word in ("end", "else"):
            return nodes, text
        elif word == "define":
            body, end = block(rest, templates)
            if end != "end":
                raise Mistake(f"define {more} does not end")
            templates[json.loads(more)] = body
        elif word in ("if", "with", "range"):
            nodes.append((word, branches(more, rest, templates)))
        else:
            nodes.append(("print", Expression(text)))
    return nodes, ""


def branches(condition, rest, templates):
    """[(condition, nodes)]; the condition of `else` is None."""
    found = []
    while True:
        body, end = block(rest, templates)
        found.append((condition and Expression(condition), body))
        if end == "end":
            return found
        if condition is None or not end:
            raise Mistake("a block does not end")
        condition = end.removeprefix("else if ") if end.startswith("else if ") else None


# ---- functions, with their arguments in Helm's order

def shown(value):
    """As Go prints it."""
    if value is None or isinstance(value, (dict, list)):
        raise Mistake(f"printed, and no text: {value!r}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def indent(count, text):
    return "\n".join(" " * count + line for line in text.split("\n"))


def fail(message):
    raise Refused(message)


def required(message, value):
    return fail(message) if value in (None, "") else value


def formatted(pattern, *values):
    return re.sub("%[sdv]", "%s", pattern) % tuple(map(shown, values))


def to_yaml(value):
    return yaml.safe_dump(value, width=10**6, allow_unicode=True).rstrip("\n").removesuffix("\n...")


FUNCTIONS = {
    "add": lambda *numbers: sum(map(int, numbers)),
    "contains": lambda part, text: part in text,
    "default": lambda other, value: value if value else other,
    "eq": lambda a, b: a == b,
    "fail": fail,
    "gt": lambda a, b: a > b,
    "indent": indent,
    "int": int,
    "lt": lambda a, b: a < b,
    "ne": lambda a, b: a != b,
    "nindent": lambda count, text: "\n" + indent(count, text),
    "not": lambda value: not value,
    "printf": formatted,
    "quote": lambda value: json.dumps(shown(value), ensure_ascii=False),
    "required": required,
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "toYaml": to_yaml,
    "trimSuffix": lambda end, text: text.removesuffix(end),
    "trunc": lambda count, text: text[:count],
}


# ---- from the tree to text

class Renderer:
    def __init__(self, templates, root):
        self.templates, self.root = templates, root

    def nodes(self, nodes, dot):
        return "".join(self.node(kind, content, dot) for kind, content in nodes)

    def node(self, kind, content, dot):
        if kind == "text":
            return content
        if kind == "print":
            return shown(self.pipeline(content.tree, dot))
        for condition, body in content:
            value = condition and self.pipeline(condition.tree, dot)
            if condition and not value:
                continue
            if kind == "range" and condition:
                return "".join(self.nodes(body, item) for item in value)
            return self.nodes(body, value if kind == "with" and condition else dot)
        return ""

    def pipeline(self, commands, dot):
        piped = []
        for operands in commands:
            piped = [self.command(operands, dot, piped)]
        return piped[0]

    def command(self, operands, dot, piped):
        kind, word = operands[0]
        if kind != "word" or word in ("true", "false"):
            if len(operands) > 1 or piped:
                raise Mistake(f"{word!r} is no function")
            return self.operand(operands[0], dot)
        if word in ("and", "or"):
            return self.first(operands[1:], dot, word == "and")
        arguments = [self.operand(one, dot) for one in operands[1:]] + piped
        if word == "include":
            name, below = arguments
            if name not in self.templates:
                raise Mistake(f"there is no template {name}")
            return Renderer(self.templates, below).nodes(self.templates[name], below)
        if word not in FUNCTIONS:
            raise Mistake(f"there is no function {word}")
        return FUNCTIONS[word](*arguments)

    def first(self, operands, dot, empty):
        """`and`: the first that is empty, `or`: the first that is not; else the last. What stands behind it is not looked at."""
        for operand in operands:
            value = self.operand(operand, dot)
            if bool(value) != empty:
                break
        return value

    def operand(self, operand, dot):
        kind, word = operand
        if kind == "string":
            return json.loads(word)
        if kind == "number":
            return int(word)
        if kind == "pipeline":
            return self.pipeline(word, dot)
        if kind == "word":
            return {"true": True, "false": False}[word] if word in ("true", "false") else self.command([operand], dot, [])
        value = self.root if word.startswith("$") else dot
        for name in word.lstrip("$").split("."):
            if name:
                if not isinstance(value, dict) or name not in value:
                    raise Mistake(f"there is no {word}")
                value = value[name]
        return value


# ---- the chart

def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def merged(below, above):
    """Values over values, as Helm does: mappings key by key, null takes one away, all else is replaced."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    both = {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}
    return {key: value for key, value in both.items() if key not in above or above[key] is not None}


class Chart:
    def __init__(self, folder):
        self.folder = str(folder)
        self.about = yaml.safe_load(read(os.path.join(self.folder, "Chart.yaml")))
        self.values = yaml.safe_load(read(os.path.join(self.folder, "values.yaml")))
        self.schema = json.loads(read(os.path.join(self.folder, "values.schema.json")))
        self.templates, self.files = {}, {}
        for path in sorted(glob.glob(os.path.join(self.folder, "templates", "*"))):
            self.files[os.path.basename(path)] = parse(read(path), self.templates)

    def complaints(self, values):
        """What the schema says of values, theirs over the chart's."""
        found = jsonschema.Draft7Validator(self.schema).iter_errors(merged(self.values, values))
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]

    def render(self, values=None, release="sluice", namespace="default"):
        """{file: text}. Refused when the schema or a template does not want the values."""
        wrong = self.complaints(values or {})
        if wrong:
            raise Refused("; ".join(wrong))
        root = {"Values": merged(self.values, values or {}), "Release": {"Name": release, "Namespace": namespace, "Service": "Helm"},
                "Chart": {"Name": self.about["name"], "Version": self.about["version"], "AppVersion": self.about["appVersion"]}}
        made = Renderer(self.templates, root)
        return {name: made.nodes(nodes, root) for name, nodes in self.files.items() if not name.startswith("_")}

    def objects(self, values=None, **release):
        texts = self.render(values, **release)
        return [one for name, text in texts.items() if name.endswith(".yaml") for one in yaml.safe_load_all(text) if one]
