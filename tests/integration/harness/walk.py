"""Types the command blocks of a document as a reader does, and compares what is seen with what the document shows.

A fence `sh` is typed: all of a document, in order, into one `bash -eu` in the repository's folder, in a network of its own
that has only loopback, so that ports are as written. A fence `text` right behind it is what that block prints: `…` in a line
stands for anything, a line of only `…` for any lines; how many blanks stand between two words does not count."""
import difflib
import functools
import os
import re
import signal
import subprocess
from dataclasses import dataclass

from .process import REPORT
from .scale import BINARY, patience

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
ANYTHING = "…"


@dataclass
class Block:
    """One fence of a document."""
    kind: str
    line: int          # of its first line of text
    text: str
    section: str       # the heading it stands under
    shown: "Block | None" = None  # what it prints, as the document has it
    said: str = ""     # what it printed


def read(path):
    """The fences of a document. A `text` that is shown for an `sh` is part of it, and in the list too."""
    blocks, heading, opened, touching = [], "", None, None
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    for number, line in enumerate(lines, 1):
        if opened:
            if line.startswith("```"):
                blocks.append(opened)
                if opened.kind == "text" and touching:
                    touching.shown = opened
                touching = opened if opened.kind == "sh" else None
                opened = None
            else:
                opened.text += line + "\n"
        elif line.startswith("```"):
            opened = Block(line[3:].strip(), number + 1, "", heading)
        elif line.strip():
            touching = None
            if match := re.match(r"#+ (.*)", line):
                heading = match[1]
    assert not opened, f"{path}:{opened.line - 1}: a fence that does not end"
    return blocks


def _pattern(shown):
    """What is shown, as a regular expression of whole lines, each with its line end."""
    parts = []
    for line in shown:
        if line == ANYTHING:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(piece) for piece in line.split(ANYTHING)) + r"\n")
    return re.compile("".join(parts))


def _lines(text):
    return [re.sub(r"[ \t]+", " ", line).strip() for line in text.rstrip().split("\n")] if text.strip() else []


def difference(shown, said):
    """None when what is said is as shown, else what differs."""
    shown, said = _lines(shown), _lines(said)
    if _pattern(shown).fullmatch("".join(line + "\n" for line in said)):
        return None
    return "\n".join(difflib.unified_diff(shown, said, "shown", "said", lineterm=""))


@functools.lru_cache(maxsize=None)
def _network():
    """What gives a command a network of its own: as root, as somebody else, or nothing where that is not allowed."""
    for way in (["unshare", "-n"], ["unshare", "-rn"]):
        argv = [*way, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        try:
            if subprocess.run([*argv, "true"], capture_output=True, timeout=20, check=False).returncode == 0:
                return argv
        except FileNotFoundError:
            pass
    return []


def own_network():
    """Whether ports are the document's alone."""
    return bool(_network())


def script_of(blocks, folder):
    """Each block's output goes to a file of its own, which tells how far it came."""
    text = ""
    for i, block in enumerate(blocks):
        text += f"exec >'{folder}/said.{i}' 2>&1\n{block.text}"
    return text


def typed(blocks, folder, seconds=120, root=ROOT):
    """Types the blocks; what each printed is in it afterwards. Returns the exit code, None when it did not end in time."""
    binary = os.path.dirname(os.path.abspath(BINARY))
    script = script_of(blocks, folder).replace("$PWD/build/release", binary)
    with open(f"{folder}/script", "w", encoding="utf-8") as f:
        f.write(script)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLUICE", "NPM_"))}
    environment |= {"PATH": f"{binary}:{environment['PATH']}:/usr/sbin", "HOME": folder, "LC_ALL": "C.UTF-8"}
    # A session of its own, so that whatever it starts ends with it.
    process = subprocess.Popen([*_network(), "bash", "-eu", f"{folder}/script"], cwd=root, stdin=subprocess.DEVNULL,  # pylint: disable=consider-using-with
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    try:
        code = process.wait(patience(seconds))
    except subprocess.TimeoutExpired:
        code = None
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
    for i, block in enumerate(blocks):
        try:
            with open(f"{folder}/said.{i}", encoding="utf-8", errors="replace") as f:
                block.said = f.read()
        except FileNotFoundError:
            break
    return code


def faults(path, blocks, code, folder):
    """Everything that is not as the document says, with the place."""
    found = []
    for i, block in enumerate(blocks):
        place = f"{os.path.relpath(path, ROOT)}:{block.line}"
        last = not os.path.exists(f"{folder}/said.{i + 1}")
        if code != 0 and last:
            how = "did not end in time" if code is None else f"failed with exit code {code}"
            found.append(f"{place}: the block {how}:\n{block.text}--- it said:\n{block.said[-3000:]}")
            break
        if "command not found" in block.said or REPORT.search(block.said):
            found.append(f"{place}: the block said:\n{block.said[-3000:]}")
        elif block.shown and (what := difference(block.shown.text, block.said)):
            found.append(f"{os.path.relpath(path, ROOT)}:{block.shown.line}: something else is seen than is shown:\n{what}")
    return found


def walk(path, folder, seconds=120):
    """Types a whole document. Returns its `sh` blocks with what they printed, and what is wrong."""
    blocks = [block for block in read(path) if block.kind == "sh"]
    if not blocks:
        return [], []
    code = typed(blocks, str(folder), seconds)
    return blocks, faults(path, blocks, code, str(folder))
