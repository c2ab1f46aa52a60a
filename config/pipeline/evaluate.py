#!/usr/bin/env python3
"""Golden questions with expected properties, put to the old and the new version.

    evaluate.py compare …   asks both, writes the report; exit 1 when the new one is below the least or the margin
    evaluate.py post …      gives the report's scores to the rollout, as feedback for its guard `quality`

The score of an answer is the weighted share of the properties that it has, 0 to 1; an error has 0."""
import argparse
import json
import os
import re
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import admin
from model import Failed, chat, first_model


def is_json(text):
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


PROPERTIES = {
    "contains": lambda text, value: value.lower() in text.lower(),
    "excludes": lambda text, value: value.lower() not in text.lower(),
    "matches": lambda text, value: bool(re.search(value, text)),
    "min_words": lambda text, value: len(text.split()) >= value,
    "max_words": lambda text, value: len(text.split()) <= value,
    "json": lambda text, value: is_json(text) == value,
}


def score(text, rubric):
    """(score, the properties that are missing)"""
    missing, got, most = [], 0.0, 0.0
    for rule in rubric:
        weight = rule.get("weight", 1)
        most += weight
        (name, value), = ((k, v) for k, v in rule.items() if k != "weight")
        if PROPERTIES[name](text, value):
            got += weight
        else:
            missing.append(f"{name}: {value}")
    return got / most, missing


def one(url, model, question):
    try:
        status, _, body = chat(url, question["prompt"], model=model)
        if status != 200:
            raise Failed(f"status {status}")
        text = json.loads(body)["choices"][0]["message"]["content"]
        value, missing = score(text, question["expect"])
    except (Failed, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        value, missing = 0.0, [f"{type(error).__name__}: {error}"]
    return {"question": question["name"], "score": round(value, 4), "missing": missing}


def answers(url, golden, repeats):
    model = first_model(url)
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda question: one(url, model, question), golden * repeats))


def compare(options):
    with open(options.golden, encoding="utf-8") as f:
        golden = json.load(f)["questions"]
    unknown = {k for q in golden for rule in q["expect"] for k in rule} - {"weight"} - set(PROPERTIES)
    if unknown or not all(q["expect"] for q in golden) or not golden:
        raise Failed(f"{options.golden}: unknown properties {sorted(unknown)}, or nothing is expected")
    report = {"version": options.version, "run": uuid.uuid4().hex, "quality": None, "passed": False,
              "margin": options.margin, "min": options.min}
    means = {}
    for role in ("baseline", "candidate"):
        slot, _, url = getattr(options, role).partition("=")
        got = answers(url, golden, options.repeats)
        means[role] = sum(a["score"] for a in got) / len(got)
        report[role] = {"slot": slot, "quality": round(means[role], 4), "answers": got}
    report["quality"] = report["candidate"]["quality"]
    least = max(options.min, means["baseline"] - options.margin)
    report["passed"] = means["candidate"] >= least - 1e-9
    beside = options.report + ".new"
    with open(beside, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
    os.replace(beside, options.report)
    print(f"evaluate: {options.version} {means['candidate']:.3f}, baseline {means['baseline']:.3f}, "
          f"needed {least:.3f}: {'passed' if report['passed'] else 'refused'} ({options.report})")
    for miss in sorted({(a["question"], m) for a in report["candidate"]["answers"] for m in a["missing"]})[:10]:
        print(f"evaluate:   {miss[0]}: {miss[1]}")
    return 0 if report["passed"] else 1


def post(options):
    with open(options.report, encoding="utf-8") as f:
        report = json.load(f)
    if report["version"] != options.version or not report["passed"]:
        raise Failed(f"{options.report} is not of a {options.version} that passed")
    # Without a unit: both were asked the same questions equally often, so what is compared is this set of questions.
    scores = [{"route": options.route, "variant": report[role]["slot"], "score": answer["score"],
               "id": f"golden-{report['run']}-{role}-{number}"}
              for role in ("baseline", "candidate") for number, answer in enumerate(report[role]["answers"])]
    counted = refused = judged = 0
    for begin in range(0, len(scores), 1000):
        status, answer = admin.post("/api/v1/feedback", scores[begin:begin + 1000])
        if status != 200:
            raise Failed(f"feedback is answered with {status}: {answer.get('error')}")
        refused += answer["refused"]
        counted += sum(bool(result.get("counted")) for result in answer["results"])
        judged += sum(bool(result.get("judged")) for result in answer["results"])
    print(f"evaluate: {counted} scores counted, {judged} for a rollout that asks for them, {refused} refused")
    return 1 if refused else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    one_of = commands.add_parser("compare")
    one_of.set_defaults(run=compare)
    for name in ("--golden", "--baseline", "--candidate", "--report", "--version"):
        one_of.add_argument(name, required=True)
    one_of.add_argument("--margin", type=float, default=0.02)
    one_of.add_argument("--min", type=float, default=0.8)
    one_of.add_argument("--repeats", type=int, default=5)
    one_of = commands.add_parser("post")
    one_of.set_defaults(run=post)
    for name in ("--report", "--version", "--route"):
        one_of.add_argument(name, required=True)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError, ValueError, KeyError) as error:
        print(f"evaluate: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
