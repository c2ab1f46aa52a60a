#!/usr/bin/env python3
"""Changes values of the configuration file where they stand, so that comments and layout stay, and loads it.

    edit.py FILE ROUTE stage SLOT VERSION   the slot's `version`
    edit.py FILE ROUTE full NEW OLD         NEW gets 100 percent and is the baseline, OLD is the candidate

The new file lies beside the old one until `sluice check` has accepted it, then takes its place in one step; when the daemon
refuses it, the old one comes back."""
import os
import re
import stat
import subprocess
import sys

VALUE = r"""("[^"\n]*"|'[^'\n]*'|[^\s,}{#"'][^\s,}]*)"""
PLAIN = re.compile(r"(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z][\w.+-]*", re.I)


class Refused(Exception):
    pass


def indent(line):
    return len(line) - len(line.lstrip(" "))


def meaningful(line):
    return bool(line.strip()) and not line.lstrip().startswith("#")


def section(lines, begin, end, pattern, what):
    """The lines of the one key that matches: its own and those that stand further right."""
    found = [i for i in range(begin, end) if meaningful(lines[i]) and re.match(pattern, lines[i])]
    if found:  # of the same key at several depths the outermost is meant
        least = min(indent(lines[i]) for i in found)
        found = [i for i in found if indent(lines[i]) == least]
    if len(found) != 1:
        raise Refused(f"{what} is there {len(found)} times; it must stand once, on a line of its own")
    own, last = lines[found[0]], found[0] + 1
    listed = not own.lstrip().startswith("- ")  # a key's list may stand as far left as the key
    while last < end and (not meaningful(lines[last]) or indent(lines[last]) > indent(own) or
                          listed and indent(lines[last]) == indent(own) and lines[last].lstrip().startswith("- ")):
        last += 1
    return found[0], last


def children(lines, place):
    """The lines of the keys that stand right below the first line's."""
    inside = [i for i in range(place[0] + 1, place[1]) if meaningful(lines[i])]
    return [i for i in inside if indent(lines[i]) == indent(lines[inside[0]])]


def put(lines, among, key, value, what, first=False):
    """Sets the one `key: …` of these lines; with `first` only where a line begins with it."""
    pattern = re.compile(rf"({'^ *' if first else '(?:^|[ {,])'}{key}:\s+){VALUE}")
    found = []
    for i in among:
        for match in pattern.finditer(lines[i]):
            if not re.search(r"(^|\s)#", lines[i][:match.start(2)]):
                found.append((i, match))
    if len(found) != 1:
        raise Refused(f"`{key}` of {what} is there {len(found)} times; it must stand once")
    i, match = found[0]
    written = value if PLAIN.fullmatch(value) or key == "weight" else f'"{value}"'
    if match[2].strip("\"'") != value:
        lines[i] = lines[i][:match.start(2)] + written + lines[i][match.end(2):]


def edited(text, route, what, first, second):
    lines = text.split("\n")
    routes = section(lines, 0, len(lines), r"routes:\s*(#|$)", "`routes`")
    name = rf"""\s*- (.*[\s{{,])?name:\s+["']?{re.escape(route)}["']?\s*(#|,|$)"""
    place = section(lines, *routes, name, f"the route {route}")
    variants = section(lines, *place, r"\s*variants:\s*(#|$)", f"`variants` of {route}")
    rollout = section(lines, place[0] + 1, place[1], r"\s*rollout:\s*(#|$)", f"`rollout` of {route}")
    keys = children(lines, rollout)  # what hooks and gates have below them is theirs
    if not any(re.match(r"\s*start:\s+manual\b", lines[i]) for i in keys):
        raise Refused(f"the rollout of {route} has no `start: manual`: it would start at the reload")

    def slot(name):
        return range(*section(lines, variants[0] + 1, variants[1], rf"""\s*["']?{re.escape(name)}["']?:""", f"the variant {name}"))
    if what == "stage":
        put(lines, slot(first), "version", second, f"the variant {first}")
    else:
        put(lines, slot(first), "weight", "100", f"the variant {first}")
        put(lines, slot(second), "weight", "0", f"the variant {second}")
        put(lines, keys, "baseline", first, f"the rollout of {route}", True)
        put(lines, keys, "candidate", second, f"the rollout of {route}", True)
    return "\n".join(lines)


def write(path, text, like):
    """The whole file, on the disk, with the owner and the mode that the other has."""
    with open(path, "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), stat.S_IMODE(like.st_mode))
        if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(f.fileno(), like.st_uid, like.st_gid)
        f.write(text)
        f.flush()
        os.fsync(f.fileno())


def client(command, *arguments):
    token = os.environ.get("PIPELINE_TOKEN_FILE")
    options = ["--token-file", token] if token and command == "reload" else []
    return subprocess.run(["sluice", command, *options, *arguments], check=False).returncode


def main(path, route, what, first, second):
    if what == "stage" and not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,63}", second, re.ASCII):
        raise Refused("a version has 1 to 64 letters, digits and . _ + -")
    path = os.path.realpath(path)
    with open(path, encoding="utf-8", newline="") as f:
        old = f.read()
    like = os.stat(path)
    new = edited(old, route, what, first, second)
    beside = f"{path}.pipeline"
    try:
        write(beside, new, like)
        if client("check", beside):
            raise Refused(f"`sluice check` refuses it; {path} stays as it was")
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    code = client("reload")
    if code:
        write(beside, old, like)
        os.replace(beside, path)
        print(f"pipeline: it was not loaded; {path} is as it was", file=sys.stderr)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (Refused, OSError) as error:
        print(f"pipeline: {error}", file=sys.stderr)
        sys.exit(1)
