"""Who gets which variant: the documented formula, offline and live, at every weight, after every kind of change."""
import math
import random

import pytest

from harness.client import Client
from harness.scale import scaled
from harness.sluice import cli, pool, route
from harness.split import bucket_of, variant_of
from harness.xxh3 import xxh3_64

IDS = 100_000
SALT = "chat-v1.1"


def ids(count, seed):
    """Random user ids of several shapes."""
    rng = random.Random(seed)
    shapes = (lambda: f"user-{rng.getrandbits(40)}", lambda: f"{rng.getrandbits(128):032x}",
              lambda: f"u{rng.randrange(10**6)}@example.com", lambda: str(rng.getrandbits(31)))
    found = set()
    while len(found) < count:
        found.add(rng.choice(shapes)())
    return sorted(found)


def write_config(path, weights, salt=SALT):
    """weights: {variant: percent}; the first is the baseline."""
    variants = "".join(f"      {name}: {{pool: p, weight: {weight:g}}}\n" for name, weight in weights.items())
    path.write_text("listeners: [{address: 127.0.0.1:0}]\n"
                    "pools: {p: {endpoints: [http://127.0.0.1:9]}}\n"
                    f"routes:\n  - name: chat\n    sticky: {{by: [header X-User-Id], salt: {salt}}}\n"
                    f"    variants:\n{variants}", encoding="utf-8")
    return path


def assign(path, units):
    """{unit: (bucket, variant)} as `sluice assign -c` answers offline."""
    done = cli("assign", "-c", path, "chat", "-", stdin="\n".join(units) + "\n")
    assert done.returncode == 0, done.stderr
    answer = {}
    for line in done.stdout.splitlines():
        unit, bucket, variant = line.split("\t")
        answer[unit] = (int(bucket), variant)
    assert len(answer) == len(units)
    return answer


def test_the_independent_hash_agrees_with_published_vectors():
    assert xxh3_64(b"") == 0x2D06800538D394C2
    assert xxh3_64(b"a") == 0xE6C632B61E964E1F
    assert xxh3_64(b"user-1", 1234567) == 0xD105685F99F29336
    data = bytes(range(256)) * 2
    assert [xxh3_64(data[:n], 42) for n in (20, 130, 300)] == [
        0x39CCF33BD38637E5, 0x6B86B61DD4C46392, 0x1562ADAEE96CF4D1]


def test_five_percent_of_100000_ids_within_4_sigma(tmp_path):
    units = ids(IDS, 1)
    answer = assign(write_config(tmp_path / "c.yaml", {"stable": 95, "canary": 5}), units)
    canary = sum(variant == "canary" for _, variant in answer.values())
    sigma = math.sqrt(IDS * 0.05 * 0.95)
    assert abs(canary - IDS * 0.05) <= 4 * sigma, f"{canary} of {IDS}"
    assert {variant for _, variant in answer.values()} == {"stable", "canary"}


def test_every_id_gets_the_documented_bucket(tmp_path):
    units = ids(scaled(IDS // 5, 2000), 2)
    answer = assign(write_config(tmp_path / "c.yaml", {"stable": 95, "canary": 5}), units)
    wrong = [u for u in units if answer[u] != ((b := bucket_of(u, SALT)), "canary" if b < 500 else "stable")]
    assert not wrong, wrong[:3]


def test_long_and_unusual_units_get_the_documented_bucket(tmp_path):
    units = ["x" * n for n in (1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024, 1025, 5000)] + ["Zoë", "ユーザー", "a b"]
    answer = assign(write_config(tmp_path / "c.yaml", {"stable": 95, "canary": 5}), units)
    assert {u: b for u, (b, _) in answer.items()} == {u: bucket_of(u, SALT) for u in units}


def test_ramp_only_adds_and_rollback_returns_exactly_the_newcomers(tmp_path):
    units = ids(IDS, 3)
    canaries = []
    for weight in (5, 20, 50, 100, 5):
        path = write_config(tmp_path / "c.yaml", {"stable": 100 - weight, "canary": weight})
        canaries.append({u for u, (_, v) in assign(path, units).items() if v == "canary"})
    five, twenty, fifty, whole, again = canaries
    assert five < twenty < fifty < whole == set(units)
    assert again == five, "the way down must return exactly those who came on the way up"
    for weight, found in ((20, twenty), (50, fifty)):
        sigma = math.sqrt(IDS * weight / 100 * (1 - weight / 100))
        assert abs(len(found) - IDS * weight / 100) <= 4 * sigma


def test_a_second_salt_chooses_an_independent_set(tmp_path):
    units = ids(IDS, 4)
    first = assign(write_config(tmp_path / "a.yaml", {"stable": 80, "canary": 20}, "release-1"), units)
    second = assign(write_config(tmp_path / "b.yaml", {"stable": 80, "canary": 20}, "release-2"), units)
    table = {}
    for unit in units:
        cell = (first[unit][1], second[unit][1])
        table[cell] = table.get(cell, 0) + 1
    statistic = 0.0
    for a in ("stable", "canary"):
        for b in ("stable", "canary"):
            row = sum(table.get((a, x), 0) for x in ("stable", "canary"))
            column = sum(table.get((x, b), 0) for x in ("stable", "canary"))
            expected = row * column / len(units)
            statistic += (table.get((a, b), 0) - expected) ** 2 / expected
    assert statistic < 15.14, f"chi-square {statistic:.1f} with 1 degree of freedom (p = 0.0001 at 15.14): {table}"


@pytest.mark.parametrize("weights", [
    {"base": 70, "a": 10, "b": 15, "c": 5},
    {"base": 0.5, "a": 33.25, "b": 33.25, "c": 33},
    {"base": 0, "a": 60, "b": 40, "c": 0},
    {"base": 40, "a": 10, "b": 20, "c": 5, "d": 25},
])
def test_three_and_more_candidates_follow_the_documented_rule(tmp_path, weights):
    units = ids(scaled(5000, 1000), 5)
    answer = assign(write_config(tmp_path / "c.yaml", weights), units)
    names = list(weights)
    for unit in units:
        bucket = bucket_of(unit, SALT)
        assert answer[unit] == (bucket, names[variant_of(bucket, list(weights.values()))]), unit


def test_first_and_second_candidate_ramp_without_moving_anybody_else(tmp_path):
    units = ids(scaled(20_000, 2000), 6)
    before = assign(write_config(tmp_path / "a.yaml", {"base": 80, "a": 10, "b": 10}), units)
    after = assign(write_config(tmp_path / "b.yaml", {"base": 45, "a": 30, "b": 25}), units)
    moved = {(before[u][1], after[u][1]) for u in units if before[u][1] != after[u][1]}
    assert moved == {("base", "a"), ("base", "b")}


def live(address, units):
    """{unit: variant} over a keep-alive connection, pipelined by 50."""
    answer = {}
    with Client(address, 30) as client:
        for at in range(0, len(units), 50):
            part = units[at:at + 50]
            client.send(b"".join(client.render("GET", "/v1/x", [("X-User-Id", u)]) for u in part))
            for unit in part:
                response = client.response()
                assert response.status == 200
                answer[unit] = response.variant
                assert response.text == response.variant, "the pool that answered is the variant's"
    return answer


def live_config(upstreams, weight, workers=2):
    return {"workers": workers, "pools": {name: pool(server) for name, server in upstreams.items()},
            "routes": [route("chat", {"stable": 100 - weight, "canary": weight},
                             sticky={"by": ["header X-User-Id"], "salt": SALT})]}


def offline(daemon, units):
    return {u: v for u, (_, v) in assign(daemon.path, units).items()}


def test_live_traffic_gets_the_offline_answer_however_the_weights_are_changed(start_sluice, nginx):
    upstreams = {name: nginx(f'location / {{ return 200 "{name}"; }}', name) for name in ("stable", "canary")}
    units = ids(scaled(3000, 600), 7)
    daemon = start_sluice(live_config(upstreams, 5))
    at_5 = offline(daemon, units)
    assert live(daemon.address, units) == at_5
    assert {"stable", "canary"} == set(at_5.values())

    daemon.reload_by_signal(live_config(upstreams, 20))
    at_20 = offline(daemon, units)
    assert live(daemon.address, units) == at_20, "after editing the YAML and SIGHUP"

    done = daemon.cli("weight", "chat", "stable=50", "canary=50")
    assert done.returncode == 0, done.stderr
    by_hand = live(daemon.address, units)
    assert by_hand == {u: "canary" if bucket_of(u, SALT) < 5000 else "stable" for u in units}, "after sluice weight"
    assert {u for u, v in at_20.items() if v == "canary"} < {u for u, v in by_hand.items() if v == "canary"}

    daemon.reload_by_signal(live_config(upstreams, 5))
    daemon.restart()
    assert live(daemon.address, units) == at_5, "after a restart"
    assert daemon.stop() == 0
    daemon.config = daemon.complete(live_config(upstreams, 5, workers=3))
    daemon.write()
    daemon.start()
    assert live(daemon.address, units) == at_5, "with another worker count"


def test_assign_answers_alike_offline_and_from_the_daemon(start_sluice, upstream):
    upstreams = {name: upstream(name) for name in ("stable", "canary")}
    daemon = start_sluice(live_config(upstreams, 30))
    for unit in ids(30, 8):
        bucket = bucket_of(unit, SALT)
        expected = "canary" if bucket < 3000 else "stable"
        answer = daemon.admin().get(f"/api/v1/routes/chat/assign?unit={unit}")
        assert (answer["bucket"], answer["variant"]) == (bucket, expected)
        assert daemon.ask(headers={"X-User-Id": unit}).variant == expected
    text = daemon.cli("assign", "chat", unit)
    assert text.returncode == 0 and expected in text.stdout and str(bucket) in text.stdout


def test_percent_sign_and_spaces_in_a_unit_survive_the_query(start_sluice, upstream):
    daemon = start_sluice(live_config({n: upstream(n) for n in ("stable", "canary")}, 30))
    for unit in ("a b", "100%", "x&y=z", "Zoë", "a+b"):
        done = daemon.cli("assign", "--json", "chat", unit)
        assert done.returncode == 0, done.stderr
        assert f'"bucket":{bucket_of(unit, SALT)}' in done.stdout.replace(" ", ""), (unit, done.stdout)


