"""The admin API under TLS: calls, and the stream of events, as a client with an authority sees them."""
import http.client
import json
import ssl

from .scale import patience


class SecureAdmin:
    def __init__(self, address, ca, token=None, certificate=None):
        host, port = address.rsplit(":", 1)
        self.where = ("127.0.0.1" if host == "0.0.0.0" else host.strip("[]"), int(port))
        self.token = token
        self.context = ssl.create_default_context(cafile=ca)
        if certificate:
            self.context.load_cert_chain(certificate.certificate, certificate.key)

    def connection(self, timeout=15):
        return http.client.HTTPSConnection(*self.where, context=self.context, timeout=patience(timeout))

    def ask(self, method, target, body=None, connection=None, headers=()):
        """(status, headers, text)"""
        link = connection or self.connection()
        fields = dict(headers)
        if self.token:
            fields["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            body = json.dumps(body)
            fields["Content-Type"] = "application/json"
        link.request(method, target, body, fields)
        answer = link.getresponse()
        text = answer.read().decode()
        if connection is None:
            link.close()
        return answer.status, answer.headers, text

    def get(self, target, connection=None):
        status, _, text = self.ask("GET", target, connection=connection)
        assert status == 200, text
        return json.loads(text)
