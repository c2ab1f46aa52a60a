"""nginx as a plain upstream: own prefix, own port, no root needed."""
import os
import pwd
import shutil
import socket

from .load import free_port
from .process import Child
from .wait import wait_for

BINARY = shutil.which("nginx") or ("/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)


class Nginx:
    """`locations`: the text of the server block."""

    def __init__(self, directory, locations, name="nginx"):
        self.prefix = os.path.join(str(directory), name)
        os.makedirs(os.path.join(self.prefix, "tmp"))
        self.port = free_port()
        temporary = "\n".join(f"{kind}_temp_path tmp/{kind};"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(self.prefix, "nginx.conf"), "w", encoding="utf-8") as f:
            # As root the workers would change to a user that may not read the test's directory.
            user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
            f.write(f"""{user} daemon off; worker_processes 1; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 1000000; keepalive_timeout 300s; client_max_body_size 0; {temporary}
    server {{ listen 127.0.0.1:{self.port} backlog=1024; {locations} }}
}}
""")
        self.child = Child([BINARY, "-p", self.prefix, "-c", "nginx.conf", "-e", "error.log"], self.prefix, "nginx")
        wait_for(self._answers, 10, "nginx listens")

    def _answers(self):
        assert self.child.running(), self.child.stderr()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.child.terminate()
