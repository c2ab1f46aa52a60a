"""The admin API over its unix socket or TCP."""
import json
import socket

from .client import Client
from .scale import patience


class _UnixClient(Client):
    def __init__(self, path, timeout):  # pylint: disable=super-init-not-called
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(patience(timeout))
        self.socket.connect(path)
        self.buffer = b""
        self.address = ("localhost", 0)


class Admin:
    """`where` is a unix socket's path or a (host, port)."""

    def __init__(self, where, token=None):
        self.where = where
        self.token = token

    def ask(self, method, target, body=None, headers=(), timeout=30):
        fields = list(headers) + [("Connection", "close")]
        if self.token:
            fields.append(("Authorization", f"Bearer {self.token}"))
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            fields.append(("Content-Type", "application/json"))
        if method == "POST" and body is None:
            body = ""
        client = (_UnixClient(self.where, timeout) if isinstance(self.where, str)
                  else Client(self.where, timeout))
        with client:
            return client.ask(method, target, fields, body, host="localhost")

    def get(self, target):
        response = self.ask("GET", target)
        assert response.status == 200, response
        return response.json()

    def post(self, target, body=None):
        return self.ask("POST", target, body)
