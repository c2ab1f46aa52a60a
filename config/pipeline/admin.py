"""One call of sluice's admin API: where $SLUICE_ADMIN says, with the token of PIPELINE_TOKEN_FILE or $SLUICE_TOKEN."""
import http.client
import json
import os
import socket
import ssl
from urllib.parse import urlsplit


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection(address):
    if address.startswith("unix:"):
        return Unix(address[5:])
    parts = urlsplit(address if "://" in address else "http://" + address)
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    context = ssl.create_default_context(cafile=os.environ.get("SLUICE_CA"))
    if certificate := os.environ.get("SLUICE_CERTIFICATE"):
        context.load_cert_chain(certificate)
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=30, context=context)


def post(path, value):
    """(status, JSON)"""
    headers = {"Content-Type": "application/json"}
    token = os.environ.get("SLUICE_TOKEN")
    if file := os.environ.get("PIPELINE_TOKEN_FILE"):
        with open(file, encoding="utf-8") as f:
            token = f.read().strip()
    if token:
        headers["Authorization"] = "Bearer " + token
    to = connection(os.environ.get("SLUICE_ADMIN") or "http://127.0.0.1:9901")
    try:
        to.request("POST", path, json.dumps(value).encode(), headers)
        answer = to.getresponse()
        return answer.status, json.loads(answer.read())
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    finally:
        to.close()
