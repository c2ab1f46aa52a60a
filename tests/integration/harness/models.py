"""`sluice simulate`: a simulated OpenAI-compatible model server in a process of its own."""
import json

from .client import ask
from .process import Child
from .scale import BINARY, patience
from .sluice import ENVIRONMENT, LISTENING
from .wait import wait_for


class Model:
    def __init__(self, directory, name, *options):
        self.name = name
        self.child = Child([BINARY, "simulate", "--port", "0", *options], str(directory), f"model-{name}", env=ENVIRONMENT)
        wait_for(self._address, patience(10), f"model server {name} listens")

    def _address(self):
        assert self.child.running(), self.child.stderr()
        found = LISTENING.search(self.child.stderr() + self.child.stdout())
        return found and found[1]

    @property
    def address(self):
        host, port = self._address().rsplit(":", 1)
        return host, int(port)

    @property
    def url(self):
        return "http://%s:%d" % self.address

    def chat(self, address=None, stream=False, **fields):
        body = {"model": "demo", "messages": [{"role": "user", "content": "hello"}], "stream": stream, **fields}
        return ask(address or self.address, "POST", "/v1/chat/completions", [("Content-Type", "application/json")],
                   json.dumps(body), timeout=30)

    def stop(self):
        """Ends it; a sanitizer report or a crash fails the test. A test that killed it has seen to that itself."""
        killed = not self.child.running()
        code = self.child.terminate()
        assert killed or code == 0, f"{self.name}: exit {code}\n{self.child.stderr()}"
        assert not self.child.reports(), self.child.reports()
