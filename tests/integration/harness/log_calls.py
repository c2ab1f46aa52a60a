"""Every line that the daemon can write to its own log, as the source has it."""
import os
import re
from collections import namedtuple

LogCall = namedtuple("LogCall", "path line level sentence keys")
LEVELS = {"debug": "debug", "info": "info", "warn": "warn", "error": "error", "rationed": "info"}
SENTENCE_AT = {"rationed": 2, "write": 1}  # of the arguments; else 0
CALL = re.compile(r"\blog_(debug|info|warn|error|rationed|write)\(")
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[(),?:]|[^"\'(),?:]+')
STRING = re.compile(r'"((?:\\.|[^"\\])*)"')


def without_comments(text):
    """Comments become blanks; line ends and strings stay."""
    def blank(found):
        return found[0] if found[0][0] in "\"'" else re.sub(r"[^\n]", " ", found[0])
    return re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)


def arguments(text, start):
    """The arguments of the call whose bracket opens before `start`."""
    depth, found, current = 0, [], []
    for token in TOKEN.finditer(text, start):
        piece = token[0]
        if piece == ")" and depth == 0:
            return found + ["".join(current).strip()]
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == "," and depth == 0:
            found.append("".join(current).strip())
            current = []
        else:
            current.append(piece)
    raise AssertionError("a call without an end")


def literals(argument):
    """The strings that an expression may be: neighbours are one, the arms of a condition are several."""
    return ["".join(STRING.findall(part)) for part in re.split(r"\?|:(?=\s*\")", argument) if STRING.search(part)]


def calls_in(text, path):
    text = without_comments(text)
    for found in CALL.finditer(text):
        kind, given = found[1], arguments(text, found.end())
        line = text.count("\n", 0, found.start()) + 1
        at = SENTENCE_AT.get(kind, 0)
        sentences = literals(given[at])
        assert sentences, f"{path}:{line}: the sentence of a log line is a literal where it is written: {given[at]}"
        levels = re.findall(r"LOG_LEVEL_(\w+)", given[0]) if kind == "write" else [LEVELS[kind]]
        levels = [level.lower() for level in levels]
        format_ = "".join(literals(given[at + 1])) if len(given) > at + 1 else ""
        keys = tuple("KIND" if key == "%s" else key for key in re.findall(r"(?:^|\s)(%s|[a-z_]+)=", format_))
        for i, sentence in enumerate(sentences):  # log_write(bad ? WARN : INFO, bad ? "…" : "…", …): in the same order
            own = levels[i:i + 1] if len(sentences) > 1 and len(levels) == len(sentences) else levels
            yield LogCall(path, line, "/".join(sorted(set(own), key=list(LEVELS).index)), sentence, keys)


def all_calls(root):
    found = []
    for folder, _, files in sorted(os.walk(os.path.join(root, "src"))):
        for name in sorted(files):
            path = os.path.join(folder, name)
            if not name.endswith((".c", ".h")) or path.endswith(os.path.join("src", "base", "log.c")):
                continue
            with open(path, encoding="utf-8") as file:
                found += calls_in(file.read(), os.path.relpath(path, root))
    with open(os.path.join(root, "src", "base", "log.c"), encoding="utf-8") as file:
        text = file.read()
    ration = text[text.index("bool log_ration_take("):]  # above it the functions themselves are defined
    return found + list(calls_in(ration, "src/base/log.c"))
