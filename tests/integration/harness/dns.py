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
    exist (NXDOMAIN). Answers come in another order each time, as from a server that spreads load; what is longer than
    512 bytes is cut, and given in full over TCP."""

    def __init__(self, records=()):
        self.records = dict(records)
        self.silent = False   # takes questions and says nothing
        self.refusing = False  # answers SERVFAIL
        self.questions = []   # (name, type), in order
        self.over_tcp = 0     # questions that came that way
        self._socket, self._listener = self._bind()
        self.port = self._socket.getsockname()[1]
        self._stopping = False
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._run, self._run_tcp)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _bind():
        """UDP and TCP on one port."""
        for _ in range(20):
            packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            packets.bind(("127.0.0.1", 0))
            try:
                return packets, socket.create_server(packets.getsockname())
            except OSError:  # another program has that TCP port
                packets.close()
        raise AssertionError("no port is free for UDP and TCP")

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
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self._threads:
            thread.join(5)
        self._socket.close()
        self._listener.close()

    def _run(self):
        while not self._stopping:
            try:
                question, sender = self._socket.recvfrom(4096)
            except OSError:
                return
            if len(question) < 12:
                continue
            reply = self._reply(question)
            if len(reply) > 512:  # the question alone, with the bit that says so
                reply = reply[:2] + bytes([reply[2] | 2]) + reply[3:6] + bytes(6) + question[12:]
            if not self.silent:
                self._socket.sendto(reply, sender)

    def _run_tcp(self):
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    while head := connection.recv(2, socket.MSG_WAITALL):
                        question = connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                        self.over_tcp += 1
                        reply = self._reply(question)
                        connection.sendall(struct.pack("!H", len(reply)) + reply)
                except OSError:
                    pass

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
