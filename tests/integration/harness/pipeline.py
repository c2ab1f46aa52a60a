"""Very many small requests with few system calls: several keep-alive connections, each with a batch in flight."""
import re
import threading

from .client import Client
from .scale import patience

ANSWER = re.compile(rb"HTTP/1\.1 200 .*\r\n(?:.+\r\n)*?X-Sluice-Variant: (\w+)\r\n(?:.+\r\n)*\r\n(\w+?)(?=HTTP/1\.1 |$)")
BATCH = 100


def _batch(client, units, headers, body_length, answers):
    client.send(b"".join(client.render("GET", "/", [("X-User-Id", unit), *headers]) for unit in units))
    data, ends = b"", 0
    while ends < len(units) or len(data) - data.rindex(b"\r\n\r\n") - 4 < body_length:
        more = client.socket.recv(262144)
        assert more, f"closed after {ends} of {len(units)} answers"
        data += more
        ends = data.count(b"\r\n\r\n")
    found = ANSWER.findall(data)
    assert len(found) == len(units), data[-500:]
    for unit, (variant, body) in zip(units, found):
        answers[unit] = (variant.decode(), body.decode())


def ask_for_all(address, units, connections=8, headers=(), body_length=6):
    """{unit: (X-Sluice-Variant, body)}. Every body is one word of `body_length` bytes."""
    answers, errors = {}, []

    def run(part):
        try:
            with Client(address, patience(30)) as client:
                for at in range(0, len(part), BATCH):
                    _batch(client, part[at:at + BATCH], headers, body_length, answers)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            errors.append(error)
    threads = [threading.Thread(target=run, args=(units[n::connections],)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    return answers
