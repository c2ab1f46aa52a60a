"""A DNS server on a loopback port whose records a test sets, changes and withholds."""
import ipaddress
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28


def _encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".")) + b"\0"


class Dns:
    """`records`: {name: (TTL, [addresses])}; a string in place of the list is an alias. Names that are not there do not
    exist (NXDOMAIN). Answers come in another order each time, as from a server that spreads load."""

    def __init__(self, records=()):
        self.records = dict(records)
        self.silent = False   # takes questions and says nothing
        self.refusing = False  # answers SERVFAIL
        self.questions = []   # (name, type), in order
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def asked(self, name, kind=A):
        """How often `name` was asked for."""
        return sum(1 for question in list(self.questions) if question == (name, kind))

    def stop(self):
        self._stopping = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _run(self):
        while not self._stopping:
            try:
                question, sender = self._socket.recvfrom(4096)
            except OSError:
                return
            if len(question) < 12:
                continue
            reply = self._reply(question)
            if not self.silent:
                self._socket.sendto(reply, sender)

    def _reply(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels).lower()
        kind = struct.unpack("!H", question[at + 1:at + 3])[0]
        self.questions.append((name, kind))
        answers, known = [], name in self.records
        while name in self.records:
            ttl, what = self.records[name]
            if isinstance(what, str):
                answers.append(self._record(name, CNAME, ttl, _encode(what)))
                name = what
                continue
            turn = len(self.questions) % max(1, len(what))
            for text in what[turn:] + what[:turn]:
                address = ipaddress.ip_address(text)
                if kind == (A if address.version == 4 else AAAA):
                    answers.append(self._record(name, kind, ttl, address.packed))
            break
        code = 2 if self.refusing else 0 if known else 3
        if code:
            answers = []
        # an answer; recursion was desired and is available
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(answers), 0, 0)
        return head + question[12:at + 5] + b"".join(answers)

    @staticmethod
    def _record(name, kind, ttl, data):
        return _encode(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
