#!/usr/bin/env python3
"""Where the rollout of a route stands, as assignments of a shell: rollout.py ROUTE. Reading needs no token."""
import json
import shlex
import subprocess
import sys


def main(name):
    done = subprocess.run(["sluice", "status", "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return done.returncode
    status = json.loads(done.stdout)
    route = next((r for r in status["routes"] if r["name"] == name), None)
    if not route or not route["rollout"] or route["rollout"]["strategy"] != "canary" or len(route["variants"]) != 2:
        print(f"pipeline: {name} is not a route with two variants and a canary rollout", file=sys.stderr)
        return 1
    rollout = route["rollout"]
    pools = {p["name"]: " ".join(e["url"] for e in p["endpoints"]) for p in status["pools"]}
    words = {"state": rollout["state"]}
    for role in ("baseline", "candidate"):
        variant = next(v for v in route["variants"] if v["name"] == rollout[role])
        words |= {role: variant["name"], f"{role}_version": variant["version"] or "",
                  f"{role}_weight": f"{variant['weight']:g}", f"{role}_urls": pools[variant["pool"]]}
    print("\n".join(f"{key}={shlex.quote(value)}" for key, value in words.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
