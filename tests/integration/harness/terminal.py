"""A program on a terminal of its own: what it writes, and what the screen shows of it (cursor up, erase below, colours)."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def drawn(text, rows):
    """The lines that a terminal with this many rows shows of it. Fails on what it would not show as meant."""
    lines, at = [""], 0
    for part in re.findall(r"\x1b\[\d+A|\x1b\[J|\x1b|\r|\n|[^\x1b\r\n]+", COLOUR.sub("", text)):
        if part.startswith("\x1b["):
            if part.endswith("A"):
                up = int(part[2:-1])
                assert up < rows, "what is to be redrawn has scrolled away"
                at -= up
                assert at >= 0
            else:
                lines[at:] = [""]
        elif part == "\n":
            at += 1
            if at == len(lines):
                lines.append("")
        elif part != "\r":
            assert part != "\x1b", "an escape that is not known"
            lines[at] = part
    return lines


class Terminal:
    def __init__(self, argv, env, columns=100, rows=30):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.rows = rows
        self.written = ""
        self.master = master
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))  # Ctrl-C and the size's signal reach it
        os.close(slave)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        pieces = b""
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:  # the other side was closed
                break
            if not piece:
                break
            pieces += piece
            self.written = pieces.decode("utf-8", "ignore")

    def lines(self):
        """All lines, those that have scrolled away too. Fails on what a terminal of this size would not show as meant."""
        return drawn(self.written, self.rows)

    def frame(self):
        """The lines of the last picture, whatever stands above it."""
        return COLOUR.sub("", self.written.rpartition("\x1b[J")[2]).replace("\r", "").split("\n")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def resize(self, columns, rows):
        self.rows = max(rows, self.rows)  # what scrolled away from a larger one is not told
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def wait(self, timeout):
        code = self.process.wait(timeout)
        self.thread.join(5)
        return code

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.thread.join(5)
        os.close(self.master)
