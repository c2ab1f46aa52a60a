"""Types a document by hand: line by line into a bash on a terminal, as a reader sits before it, who waits for each prompt,
answers what is asked, and sees colours, prompts and the shell's notes about jobs. (walk.py gives the blocks to a shell as a script.)"""
import os
import re
import signal
import subprocess
import time

from . import walk
from .terminal import Terminal, drawn

BASH = ["bash", "--noprofile", "--norc"]
COLUMNS, ROWS = 400, 50  # no line that is typed is broken by the shell's own editing
# Readline tells when it waits for a line, and when it has one. The prompt says the exit code of what was typed before; a line
# inside a here document or a loop has the other prompt and none.
PROMPT = r"hand:\w:$?\$ "
WAITS = re.compile(r"\x1b\[\?2004hhand:[^\r\n]*?:(\d+)[#$] $|\x1b\[\?2004h> $")
ASKED = re.compile(r"\[Y/n\] $")
TAKEN = "\x1b[?2004l\r"
JOB = re.compile(r"\[\d+\](?: \d+$|[-+ ] +(?:Done|Terminated|Exit \d+|Running|Killed)\b)")


def shown(written):
    """What a terminal shows of it: what was drawn over is gone, and what readline tells the terminal."""
    return "\n".join(drawn(re.sub(r"\x1b\[\?2004[hl]\r?", "", written), ROWS))


class Hand:
    """Who types. `argv` is an interactive bash, which begins in `folder`, else in the home folder."""

    def __init__(self, argv, environment, folder=None):
        self.terminal = Terminal(argv, {**environment, "TERM": "xterm"}, COLUMNS, ROWS)
        self.at, self.seen = 0, None
        self.deadline = time.monotonic() + 30
        self.until(re.compile(r"[#$] $"))
        self.enter(f"PS1='{PROMPT}'")
        self.enter("cd" if folder is None else f"cd '{folder}'")

    def until(self, *patterns):
        """What is written from here until it ends with one of them, and its match."""
        while True:
            text = self.terminal.written[self.at:]
            for pattern in patterns:
                if match := pattern.search(text):
                    self.at += len(text)
                    return text[:match.start()], match
            if time.monotonic() > self.deadline or (self.terminal.process.poll() is not None and not self.terminal.thread.is_alive()):
                self.at += len(text)
                raise TimeoutError(text)
            time.sleep(0.01)

    def enter(self, line):
        """Types a line; what is seen, until the shell waits for the next one, and the exit code (None: the command goes on)."""
        assert "\t" not in line, "a tab would be completed"
        self.terminal.type(line + "\r")
        seen, match = "", None
        while match is None or match.re is ASKED:
            more, match = self.until(WAITS, ASKED)
            seen += more
            if match.re is ASKED:
                seen += match[0]
                self.terminal.type("y\r")
        return shown(seen.partition(TAKEN)[2]), match[1] and int(match[1])

    def transcript(self):
        """All that was seen, as it stands on the terminal at the end."""
        return shown(self.terminal.written if self.seen is None else self.seen)

    def close(self):
        """As a terminal's window is closed: the shell passes it on to what it has started. A shell that waits for a line is told by
        one, since the process here may only have brought it into a machine: ended first, it would leave the shell to whoever reaps
        it, at some time."""
        process, self.seen = self.terminal.process, self.terminal.written
        ends = [lambda: process.send_signal(signal.SIGHUP), process.kill]
        if WAITS.search(self.seen):
            ends.insert(0, lambda: self.terminal.type("kill -HUP $$\r"))
        for end in ends:
            if process.poll() is None:
                end()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    pass
        self.terminal.stop()


def lines(block):
    """What is typed of it: `console` shows the prompts too, and perhaps what is seen, which is not typed."""
    text = block.text.rstrip("\n").split("\n")
    return [line[2:] for line in text if line.startswith(("# ", "$ "))] if block.kind == "console" else text


def without_jobs(text):
    return "".join(line for line in text.splitlines(keepends=True) if not JOB.match(line))


def walk_by_hand(path, hand, seconds=120):
    """Types all that a document says. Returns the blocks and what is wrong: the first only, since all else follows from it."""
    blocks = [block for block in walk.read(path) if block.kind in ("sh", "console")]
    path = os.path.relpath(path, walk.ROOT)
    hand.deadline = time.monotonic() + seconds
    for block in blocks:
        for number, line in enumerate(lines(block)):
            place = f"{path}:{block.line + number}: {line}\n"
            try:
                seen, code = hand.enter(line)
            except TimeoutError as error:
                return blocks, f"{place}--- does not come to its end; seen:\n{error}"
            block.said += without_jobs(seen)
            if code:
                return blocks, f"{place}--- exit code {code}; seen:\n{seen}"
            if "command not found" in seen or walk.REPORT.search(seen):
                return blocks, f"{place}--- seen:\n{seen}"
        if code is None:
            return blocks, f"{path}:{block.line}: the block ends within a command"
        if block.shown and (what := walk.difference(block.shown.text, block.said)):
            return blocks, f"{path}:{block.shown.line}: something else is seen than is shown:\n{what}"
    return blocks, None
