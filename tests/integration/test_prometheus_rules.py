"""config/prometheus and config/grafana: what promtool says of them, that they name what the program exposes, and a real
Prometheus with both. The cases of single rules and alerts are in tests/data/prometheus."""
import itertools
import json
import math
import os
import re
import shutil
import threading

import pytest
import yaml

from harness.certificates import make_ca, make_certificate
from harness.client import Client
from harness.load import free_port
from harness.prometheus import Prometheus, names_in, promtool
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

pytestmark = pytest.mark.once

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CASES = os.path.join(ROOT, "tests", "data", "prometheus")
FILES = {name: os.path.join(ROOT, "config", "prometheus", name + ".yaml") for name in ("rules", "alerts")}
PANELS_OF_ROWS = 3   # the least that a row of the dashboard has
OF_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"job", "alertname", "alertstate"}}
# Which values a label may have is fixed: one that the program never exposes is a mistake.
FIXED = {"state", "hold", "action", "reason", "result", "role", "code", "type"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def rules_of(path):
    return [rule for group in yaml.safe_load(read(path))["groups"] for rule in group["rules"]]


RULES, ALERTS = rules_of(FILES["rules"]), rules_of(FILES["alerts"])
DASHBOARD = json.loads(read(os.path.join(ROOT, "config", "grafana", "sluice.json")))


def level(record):
    """The labels that a recording rule leaves: job_route_variant:… has three."""
    return set(record.split(":")[0].split("_"))


# ---- the rules by themselves

def test_promtool_takes_the_files():
    for name, count in (("rules", len(RULES)), ("alerts", len(ALERTS))):
        done = promtool("check", "rules", FILES[name])
        assert done.returncode == 0 and f"{count} rules found" in done.stdout, done.stdout + done.stderr


def test_the_example_of_prometheus_yml_is_taken(tmp_path):
    example = re.search(r"```yaml other\n(# prometheus\.yml.*?)```", read(os.path.join(ROOT, "docs", "alerts.md")), re.S)[1]
    (tmp_path / "prometheus.yml").write_text(example)
    for path in FILES.values():
        shutil.copy(path, tmp_path)
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0 and "2 rule files found" in done.stdout, done.stdout + done.stderr


@pytest.mark.heavy  # promtool counts every minute of hours
@pytest.mark.parametrize("name", FILES)
def test_promtool_finds_what_the_cases_say(name):
    done = promtool("test", "rules", os.path.join(CASES, name + ".test.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def cases_of(name):
    return yaml.safe_load(read(os.path.join(CASES, name + ".test.yaml")))["tests"]


def test_each_alert_has_a_case_where_it_fires_and_one_where_it_does_not():
    """The latter in other series than the former: before its `for` is not enough."""
    fires, quiet = set(), set()
    for case in cases_of("alerts"):
        firing = {each["alertname"] for each in case["alert_rule_test"] if each["exp_alerts"]}
        fires |= firing
        quiet |= {each["alertname"] for each in case["alert_rule_test"]} - firing
    names = [alert["alert"] for alert in ALERTS]
    assert len(set(names)) == len(names)
    assert fires == set(names) and quiet == set(names)


def test_each_recording_rule_has_a_value_that_is_checked():
    checked = {metric for case in cases_of("rules") for each in case["promql_expr_test"] if each["exp_samples"]
               for metric, _ in names_in(each["expr"])[0]}
    names = [rule["record"] for rule in RULES]
    assert len(set(names)) == len(names) and checked == set(names)
    assert all(re.fullmatch(r"[a-z_]+:sluice_[a-z_]+:[a-z0-9_]+", name) for name in names), names


def test_every_alert_says_what_to_do():
    text = read(os.path.join(ROOT, "docs", "alerts.md"))
    sections = re.findall(r"^## (\w+)$", text, re.M)
    assert sections == [alert["alert"] for alert in ALERTS]
    for alert in ALERTS:
        assert alert["labels"] == {"severity": alert["labels"]["severity"]} and alert["labels"]["severity"] in ("critical", "warning")
        assert set(alert["annotations"]) == {"summary", "description", "runbook"}, alert
        assert alert["annotations"]["runbook"] == "docs/alerts.md#" + alert["alert"].lower(), alert
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        assert all(re.search("^" + re.escape(begin), section, re.M) for begin in ("Fires ", "* Look at: ", "* Do: ")), section


# ---- what they name

class Vocabulary:
    """The metrics that a real daemon exposes: their labels, and the values of those labels."""

    def __init__(self, metrics):
        self.labels, self.metrics = {}, metrics
        for name, have, _ in metrics.samples:
            self.labels.setdefault(name, set()).update(have, ("job", "instance"))
        self.families = set(re.findall(r"^# TYPE (\S+)", metrics.text, re.M))
        self.labels.update({rule["record"]: level(rule["record"]) for rule in RULES})
        self.labels.update(OF_PROMETHEUS)

    def mistakes(self, expression):
        metrics, grouped = names_in(expression)
        known = set().union(*(self.labels.get(name, set()) for name, _ in metrics))
        for label in grouped:
            if label not in known:
                yield f"{label} is no label of what {expression} names"
        for name, matchers in metrics:
            if name not in self.labels:
                yield f"there is no {name}"
            for label, _, value in matchers:
                if label not in self.labels.get(name, ()):
                    yield f"{name} has no label {label}"
                elif label in FIXED and "$" not in value:
                    absent = set(value.split("|")) - self.metrics.values(name, label)
                    if absent and name in self.families:
                        yield f"{name} has no {label} of {absent}"


@pytest.fixture
def vocabulary(start_sluice, upstream, tmp_path):
    """Of a daemon that has everything that makes metrics: a rollout, TLS on both sides, tasks, scores."""
    pair = make_certificate(tmp_path, make_ca(tmp_path, "ca"), ["sluice.test"])
    client = make_certificate(tmp_path, None, ["sluice"], client=True, stem="client")
    secure = {"endpoints": ["https://127.0.0.1:1"], "tls": {"certificate": str(client.certificate), "private_key": str(client.key)}}
    daemon = start_sluice({
        "listeners": [{"address": "127.0.0.1:0", "tls": {"certificate": str(pair.certificate), "private_key": str(pair.key)}}],
        "pools": {"stable": pool(upstream("stable")), "canary": pool(upstream("canary")), "secure": secure},
        "routes": [chat(), route("tasks", {"secure": 100}, match={"path_prefix": "/tasks"},
                                       affinity={"learn": ["json /id"], "use": ["path_segment"]})]})
    assert daemon.admin().post("/api/v1/feedback", {"route": "chat", "variant": "stable", "score": 0.5}).status == 200
    return Vocabulary(daemon.metrics())


def chat(**rollout):
    return route("chat", {"stable": {"pool": "stable", "version": "v1", "weight": 80, "price": {"input": 2, "output": 8}},
                          "canary": {"pool": "canary", "version": "v2", "weight": 20, "price": {"input": 1, "output": 4}}},
                 match={"path_prefix": "/v1/"}, sticky={"by": ["header X-User-Id"]}, fallback="stable",
                 retry={"attempts": 1, "on": ["connect"]},
                 rollout={"strategy": "canary", "steps": [{"weight": 20, "for": "1h"}, {"weight": 100}],
                          "guards": {"error_rate": {"margin": 50}}, **rollout})


def targets():
    """(where, expression) of everything in the dashboard that asks Prometheus."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for note in DASHBOARD["annotations"]["list"]:
        yield "annotation " + note["name"], note["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert inner and variable["definition"] == variable["query"]["query"], variable
            yield "variable " + variable["name"], f"count by ({inner[2]}) ({inner[1]})"


def test_every_name_is_one_that_the_program_exposes(vocabulary):
    wrong = [f"{where}: {mistake}" for where, expression in itertools.chain(
        ((rule["record"], rule["expr"]) for rule in RULES), ((alert["alert"], alert["expr"]) for alert in ALERTS), targets())
        for mistake in vocabulary.mistakes(expression)]
    assert not wrong, "\n".join(wrong)


def test_a_name_that_is_not_there_is_found(vocabulary):
    """The test before can fail."""
    for wrong in ("sum(rate(sluice_request_total[5m]))", 'sluice_endpoint_up{pol="x"}', "sum by (varient) (sluice_requests_total)",
                  'sluice_rollout_hold{hold="eror"}', 'job_route_variant:sluice_requests:rate5m{code="2xx"}', "1 + sluice_up"):
        assert list(vocabulary.mistakes(wrong)), wrong
    assert not list(vocabulary.mistakes('sum by (job, le) (rate(sluice_request_duration_seconds_bucket{route="chat"}[5m] offset 1d)) > bool 2'))


def test_every_metric_has_its_place_in_the_dashboard(vocabulary):
    """Directly or by a rule; what nobody looks at need not be exposed."""
    named = {metric for _, expression in targets() for metric, _ in names_in(expression)[0]}
    for _ in range(3):  # rules name rules
        named |= {metric for rule in RULES if rule["record"] in named for metric, _ in names_in(rule["expr"])[0]}
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert not vocabulary.families - named


# ---- the dashboard

def test_the_dashboard_is_laid_out():
    panels = DASHBOARD["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    taken = {}
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["y"] >= 0 and at["w"] > 0 and at["h"] > 0 and at["x"] + at["w"] <= 24, panel["title"]
        for cell in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']} lies over {taken[cell]}"
            taken[cell] = panel["title"]
    rows = [list(group) for is_row, group in itertools.groupby(panels, lambda panel: panel["type"] == "row") if not is_row]
    assert len(rows) == len([panel for panel in panels if panel["type"] == "row"]) and all(len(row) >= PANELS_OF_ROWS for row in rows)


def test_the_dashboard_can_be_imported_anywhere():
    """No address and no data source of somebody; every panel says what it shows and in what unit."""
    text = json.dumps(DASHBOARD)
    assert not re.search(r"https?://|\d+\.\d+\.\d+\.\d+|localhost", text)
    assert DASHBOARD["id"] is None and DASHBOARD["schemaVersion"] >= 38
    sources = re.findall(r'"datasource": (\{[^{}]*\}|"[^"]*"|null)', text.replace("${datasource}", "$datasource"))
    assert sources and set(sources) == {'{"type": "prometheus", "uid": "$datasource"}'}
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "route", "variant"] and variables["variant"]["multi"]
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "row":
            continue
        where = panel["title"]
        assert len(panel["description"]) > 5 and panel["targets"] and panel["datasource"], where
        assert panel["type"] == "state-timeline" or panel["fieldConfig"]["defaults"]["unit"], where
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) and all(target["legendFormat"] for target in panel["targets"]), where
    for where, expression in targets():
        unknown = set(re.findall(r"\$(\w+)", expression)) - set(variables) - {"__rate_interval"}
        assert not unknown, f"{where}: {unknown}"
        assert "$variant" not in expression or "=~\"$variant\"" in expression, f"{where}: several variants may be chosen"


def test_every_expression_of_the_dashboard_parses(tmp_path):
    values = {"$__rate_interval": "1m", "$job": "sluice", "$route": "chat", "$variant": "stable|canary"}
    rules = []
    for i, (_, expression) in enumerate(targets()):
        for name, value in values.items():
            expression = expression.replace(name, value)
        rules.append({"record": f"panel:{i}", "expr": expression})
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", path)
    assert done.returncode == 0 and f"{len(rules)} rules found" in done.stdout, done.stdout + done.stderr


# ---- a real Prometheus

class Talk:
    """Users who ask one after the other until stop()."""

    def __init__(self, address):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(address,), daemon=True)
        self._thread.start()

    def _run(self, address):
        body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "hello"}]})
        with Client(address) as client:
            for user in itertools.count():
                if self._stop.wait(0.02):
                    return
                client.ask("POST", "/v1/chat/completions", [("X-User-Id", f"user-{user}"), ("Content-Type", "application/json")], body)

    def stop(self):
        self._stop.set()
        self._thread.join(patience(20))


@pytest.fixture
def talk():
    """talk(address): ends with the test, before the daemon does."""
    made = []
    yield lambda address: made.append(Talk(address))
    for each in made:
        each.stop()


def at_once(tmp_path):
    """Copies of both files without the waiting: groups are evaluated each second, and what is true fires."""
    copies = []
    for name, path in FILES.items():
        written = yaml.safe_load(read(path))
        for group in written["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule.pop("for", None)
        copies.append(tmp_path / (name + ".yaml"))
        copies[-1].write_text(yaml.safe_dump(written))
    return copies


@pytest.mark.heavy
def test_a_real_prometheus_records_and_alerts(start_sluice, simulate, child, talk, tmp_path):
    quick = ["--latency", "5ms", "--jitter", "2ms", "--token-delay", "1ms"]
    stable, other, canary = simulate("stable", *quick), simulate("other", *quick), simulate("canary", *quick, "--error-rate", "10")
    admin = free_port()
    daemon = start_sluice({"admin": {"address": f"127.0.0.1:{admin}"}, "routes": [chat()], "pools": {
        "stable": pool(stable, other, health={"interval": "200ms", "timeout": "5s", "unhealthy_after": 1, "request": {"path": "/health"}}),
        "canary": pool(canary)}})
    prometheus = Prometheus(child, str(tmp_path), f"127.0.0.1:{admin}", at_once(tmp_path))
    talk(daemon.address)
    for number, variant in itertools.product(range(3), ("stable", "canary")):
        # A rate is seen between two scrapes: the series is there before it grows.
        wait_for(lambda count=number, of=variant: prometheus.query("sum by (variant) (sluice_score_count)").get(of, 0) >= count,
                 patience(20), "the score before was scraped")
        assert daemon.admin().post("/api/v1/feedback", {"route": "chat", "variant": variant, "score": 0.5}).status == 200
    wanted = {rule["record"] for rule in RULES}

    def recorded():
        return {record for record in wanted if any(math.isfinite(value) for _, value in prometheus.series(record))} == wanted
    wait_for(recorded, patience(60), "every recording rule has a value", interval=0.2)
    for record in wanted:
        for labels, value in prometheus.series(record):
            assert set(labels) - {"__name__"} == level(record), labels
            assert math.isfinite(value), (labels, value)
    beside = 'job_route_variant:sluice_request_errors:minus_baseline5m{route="chat"}'
    wait_for(lambda: prometheus.query(beside)["canary"] > 0, patience(20), "the canary's failures are seen beside the baseline")
    assert prometheus.query(beside)["stable"] == 0
    assert prometheus.query("job_route_variant:sluice_cost_dollars_per_request:over_baseline5m")["canary"] < 1, "it has half of the price"

    def firing():
        return {(each["labels"]["alertname"], each["labels"].get("endpoint"))
                for each in prometheus.get("alerts")["alerts"] if each["state"] == "firing"}
    assert not {name for name, _ in firing()} & {"SluiceDown", "SluiceAbsent", "SluiceEndpointDown", "SluicePoolDown"}
    gone = other.url
    other.stop()
    wait_for(lambda: ("SluiceEndpointDown", gone) in firing(), patience(30), "the alert of the endpoint that is down fires")
    assert "SluicePoolDown" not in {name for name, _ in firing()}, "the other one is up"
    loaded = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(loaded) == len(RULES) + len(ALERTS)
    assert not [(rule["name"], rule.get("lastError")) for rule in loaded if rule["health"] != "ok"]
