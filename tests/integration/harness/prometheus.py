"""A real Prometheus, promtool, and what an expression of theirs names."""
import json
import os
import re
import shutil
import subprocess
import urllib.parse

from .client import ask
from .load import free_port
from .wait import wait_for


def promtool(*arguments, text=None):
    """Runs it to its end; the process, with stdout and stderr."""
    program = shutil.which("promtool")
    assert program, "promtool is not installed (tests/run.sh installs it)"
    return subprocess.run([program, *map(str, arguments)], input=text, text=True, capture_output=True, timeout=200, check=False)


class Prometheus:
    """With its own storage; scrapes a target, or several, once a second, and evaluates `rule_files` as often."""

    def __init__(self, child, directory, target, rule_files=(), options=()):
        targets = [target] if isinstance(target, str) else list(target)
        program = shutil.which("prometheus")
        assert program, "prometheus is not installed (tests/run.sh installs it)"
        self.port = free_port()
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
                    f"rule_files: {json.dumps([str(each) for each in rule_files])}\n"
                    f"scrape_configs:\n- job_name: sluice\n  static_configs: [{{targets: {json.dumps(targets)}}}]\n")
        self.process = child([program, f"--config.file={path}", f"--storage.tsdb.path={directory}/tsdb",
                              f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn", *options], "prometheus")
        wait_for(self.ready, 30, "Prometheus is ready")

    def ready(self):
        assert self.process.running(), self.process.stderr()
        try:
            return ask(("127.0.0.1", self.port), target="/-/ready").status == 200
        except OSError:
            return False

    def get(self, path):
        response = ask(("127.0.0.1", self.port), target="/api/v1/" + path)
        assert response.status == 200, response
        return json.loads(response.body)["data"]

    def series(self, expression):
        """[(labels, value)]"""
        return [(each["metric"], float(each["value"][1]))
                for each in self.get("query?query=" + urllib.parse.quote(expression))["result"]]

    def query(self, expression, label="variant"):
        return {labels.get(label): value for labels, value in self.series(expression)}


# ---- what an expression names

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\d[\w.]*|[a-zA-Z_:][\w:]*|=~|!~|!=|\S')
_OPERATORS = {"and", "or", "unless", "bool", "offset"}
_GROUPINGS = {"by", "without", "on", "ignoring", "group_left", "group_right"}


def names_in(expression):
    """([(metric, [(label, operator, value)])], [label of a grouping]). The expression is one that promtool takes."""
    tokens = _TOKEN.findall(expression)
    metrics, grouped, i = [], [], 0
    while i < len(tokens):
        token, following = tokens[i], tokens[i + 1] if i + 1 < len(tokens) else ""
        i += 1
        if token == "[":
            i = tokens.index("]", i) + 1
        elif token in _GROUPINGS:
            end = tokens.index(")", i)
            grouped += [each for each in tokens[i + 1:end] if each != ","]
            i = end + 1
        elif re.match(r"[a-zA-Z_:]", token) and token not in _OPERATORS and following not in ("(", "by", "without"):
            matchers = []
            if following == "{":
                end = tokens.index("}", i)
                matchers = [(tokens[k - 1], tokens[k], tokens[k + 1][1:-1]) for k in range(i, end) if tokens[k] in ("=", "=~", "!=", "!~")]
                i = end + 1
            metrics.append((token, matchers))
    return metrics, grouped
