"""The proxies that are compared: what each is told for the same job. A Job says what is wanted; each function here writes
a configuration into a folder and gives the command line. All have one worker unless the job says otherwise, keep their
connections on both sides, pass bodies on as they come and write no access log."""
import dataclasses
import os
import resource
import subprocess


def raise_files():
    """The limit of open files as high as it may be, for this process and those it starts."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200000, 200000))
    except (OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


WEIGHTS = (80, 15, 5)  # percent of the users to blue, green and canary
FILES = raise_files()
CONNECTIONS = max(256, (FILES - 1000) // 2)  # of clients; each may need one to the origin
KEPT = 1024  # idle connections to the origin


@dataclasses.dataclass(frozen=True)
class Job:
    """What a proxy is to do. `ports` of the origin: the three pools' where `split` is said, else one pool's endpoints."""
    split: bool = False
    endpoints: int = 1
    routes: int = 1
    workers: int = 1
    access_log: bool = False
    tls: bool = False
    busy_poll: bool = False  # of sluice only

    def pools(self, ports):
        return [[p] for p in ports[:len(WEIGHTS)]] if self.split else [ports[:self.endpoints]]


BUSY = "\nbusy_poll: 10ms"  # said only when wanted: builds from before can be compared


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a proxy lives: its folder, its port, and the origin's ports."""
    folder: str
    port: int
    origin: list

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def certificate(self):
        """A certificate and its key, and both in one file, of a P-256 key as most have it."""
        paths = [os.path.join(self.folder, n) for n in ("certificate.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-keyout", paths[1], "-out", paths[0], "-subj", "/CN=bench.local",
                        "-addext", "subjectAltName=DNS:bench.local,IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
        return [*paths, self.write("both.pem", "".join(open(p).read() for p in paths))]


def nginx(job, place):
    pools = job.pools(place.origin)
    kept = max(KEPT, 2 * job.endpoints)
    upstreams = "".join(f"upstream pool{i} {{ {' '.join(f'server 127.0.0.1:{p};' for p in ports)} keepalive {kept}; "
                        "keepalive_requests 1000000000; keepalive_timeout 3600s; }\n" for i, ports in enumerate(pools))
    to = "pool0"
    if job.split:
        shares = " ".join(f"{w}% pool{i};" for i, w in enumerate(WEIGHTS[:-1])) + f" * pool{len(WEIGHTS) - 1};"
        upstreams += f'split_clients "$http_x_user_id" $pool {{ {shares} }}\n'
        to = "$pool"
    listen = f"listen 127.0.0.1:{place.port} backlog=4096" + (" ssl;" if job.tls else ";")
    if job.tls:
        certificate, key, _ = place.certificate()
        listen += (f" ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:s:20m;"
                   " ssl_session_timeout 1h; ssl_protocols TLSv1.2 TLSv1.3;")  # 1.22 has no 1.3 by itself
    paths = "".join(f"{n}_temp_path {place.folder}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    log = f"access_log {place.folder}/access.log;" if job.access_log else "access_log off;"
    locations = "".join(f"location /r{i}/ {{ proxy_pass http://{to}; }}\n" for i in range(1, job.routes))
    text = f"""daemon off; worker_processes {job.workers}; pid {place.folder}/pid; error_log {place.folder}/errors crit;
worker_rlimit_nofile {FILES};
events {{ worker_connections {2 * CONNECTIONS}; multi_accept on; }}
http {{ {log} {paths} keepalive_requests 1000000000; keepalive_timeout 3600s; client_max_body_size 0;
client_body_buffer_size 64k; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
proxy_buffers 8 32k; proxy_buffer_size 16k; proxy_busy_buffers_size 64k; proxy_max_temp_file_size 0;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
{upstreams}server {{ {listen} {locations} location / {{ proxy_pass http://{to}; }} }} }}"""
    return ["nginx", "-c", place.write("nginx.conf", text), "-p", place.folder, "-e", f"{place.folder}/errors"]


def haproxy(job, place, splice=False):
    pools = job.pools(place.origin)
    rules = f" default_backend pool{len(pools) - 1}\n"
    if job.split:
        bounds = [sum(WEIGHTS[:i + 1]) for i in range(len(WEIGHTS) - 1)]
        rules = (" http-request set-var(txn.bucket) req.hdr(x-user-id),xxh32,mod(100)\n" +
                 "".join(f" use_backend pool{i} if {{ var(txn.bucket) -m int lt {b} }}\n" for i, b in enumerate(bounds)) + rules)
    backends = "".join(f"backend pool{i}\n balance roundrobin\n" +
                       "".join(f" server s{n} 127.0.0.1:{p}\n" for n, p in enumerate(ports)) for i, ports in enumerate(pools))
    tls = f" ssl crt {place.certificate()[2]}" if job.tls else ""
    spliced = " option splice-response\n option splice-request\n" if splice else ""
    text = f"""global
 nbthread {job.workers}
 maxconn {CONNECTIONS}
{' maxpipes 64' if splice else ''}
defaults
 mode http
{spliced} option http-no-delay
 option forwardfor
 http-reuse always
 timeout connect 5s
 timeout client 1h
 timeout server 1h
 timeout http-keep-alive 1h
frontend f
 bind 127.0.0.1:{place.port} backlog 4096{tls}
{rules}{backends}"""
    return ["haproxy", "-db", "-f", place.write("haproxy.cfg", text)]


def haproxy_splice(job, place):
    return haproxy(job, place, splice=True)


def sluice(job, place, binary=None):
    pools = job.pools(place.origin)
    shares = WEIGHTS if job.split else (100,)
    tls = ""
    if job.tls:
        certificate, key, _ = place.certificate()
        tls = f", tls: {{certificate: '{certificate}', private_key: '{key}'}}"
    log = os.path.join(place.folder, "access.log") if job.access_log else "off"
    text = f"""listeners: [{{address: '127.0.0.1:{place.port}'{tls}}}]
admin: {{address: 'unix:{place.folder}/admin.sock'}}
state_dir: {place.folder}/state
workers: {job.workers}{BUSY if job.busy_poll else ''}
access_log: {{path: '{log}'}}
limits: {{connections: {CONNECTIONS}, body_bytes: 1GiB}}
pools:
"""
    for i, ports in enumerate(pools):
        text += f"  pool{i}: {{keepalive: {KEPT}, endpoints: [{', '.join(f'http://127.0.0.1:{p}' for p in ports)}]}}\n"
    variants = ", ".join(f"v{i}: {{pool: pool{i}, weight: {w}}}" for i, w in enumerate(shares))
    text += "routes:\n"
    for i in range(1, job.routes):  # they stand before the one that is asked for
        text += f"  - {{name: route{i}, match: {{path_prefix: /r{i}/}}, variants: {{{variants}}}}}\n"
    text += f"  - {{name: bench, sticky: {{by: [header X-User-Id]}}, variants: {{{variants}}}}}\n"
    return [binary or os.environ.get("SLUICE", "build/release/sluice"), "run", "-c", place.write("sluice.yaml", text)]


PEERS = {"nginx": nginx, "haproxy": haproxy, "haproxy-splice": haproxy_splice, "sluice": sluice}
