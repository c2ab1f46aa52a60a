"""Pods of a Deployment, run on this machine as a kubelet runs them, as far as that goes without a cluster: what stands in the manifest is
what happens. Each pod has an address of its own; each container a root of its own that holds what our image holds, read-only, a process 1
of its own, the user, environment, volumes, probes and hooks of the manifest. A ConfigMap and a Secret are laid out as the kubelet does it,
with `..data`, and are swapped in one step. What is not there: a scheduler, the control groups of `resources`, the runtime's seccomp
profile, network policies. Needs root."""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from .client import Client
from .process import Child
from .scale import BINARY, patience
from .wait import wait_for

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTRYPOINT = ["sluice"]  # of docker/Dockerfile
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docker", "reload-on-change.sh")
# $1: the root, a folder. Then SOURCE TARGET ro|rw … up to --, and the command, which exec replaces this shell by.
ROOT = r"""set -eu
umask 022
mount --make-rprivate /
root=$1; shift
mount -t tmpfs -o mode=0755 none "$root"
mkdir -p "$root/bin" "$root/etc/ssl" "$root/usr/lib" "$root/usr/lib64" "$root/usr/local/bin" "$root/proc" "$root/dev" "$root/tmp"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
mount -t proc none "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir -p "$root$2"; else touch "$root$2"; fi
    mount --bind "$1" "$root$2"
    [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
    shift 3
done
shift
mount -o "remount,bind,$1" "$root"
shift
exec "$@"
"""
# In one process, since nothing of the image can do it and nobody may who has given up his capabilities.
ENTER = """import ctypes, os, sys, warnings
libc = ctypes.CDLL(None, use_errno=True)
root, user, group, groups, private, bare = sys.argv[1:7]
os.chroot(root)
os.chdir("/")
for capability in range(41 if bare == "yes" else 0):
    assert libc.prctl(24, capability, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.setgroups([int(one) for one in groups.split()])
os.setresgid(*[int(group)] * 3)
os.setresuid(*[int(user)] * 3)
assert private != "yes" or libc.prctl(38, 1, 0, 0, 0) == 0
os.execvp(sys.argv[7], sys.argv[7:])
"""
IMAGE = [("/usr/lib", "/usr/lib"), ("/usr/lib64", "/usr/lib64"), ("/etc/ssl", "/etc/ssl"), ("/bin/dash", "/bin/sh"), ("/usr/bin/sleep", "/bin/sleep"),
         ("/usr/bin/sha256sum", "/bin/sha256sum")]


class Cluster:
    """What pods have in common: a network, names, ConfigMaps and Secrets ({name: {file: text}})."""

    def __init__(self, folder, lan, namespace="default"):
        self.folder, self.lan, self.namespace = str(folder), lan, namespace
        self.config_maps, self.secrets, self.pods = {}, {}, []
        self.hosts = os.path.join(self.folder, "hosts")
        self.name("localhost", "127.0.0.1")
        os.chmod(self.folder, 0o755)
        self.script = shutil.copy(SCRIPT, os.path.join(self.folder, "reload-on-change"))
        os.chmod(self.script, 0o755)
        self.files = [*(one for one in IMAGE if os.path.exists(one[0])), (os.path.abspath(BINARY), "/usr/local/bin/sluice"),
                      (self.script, "/usr/local/bin/reload-on-change"), (self.hosts, "/etc/hosts")]

    def name(self, name, address):
        """A headless Service."""
        with open(self.hosts, "a", encoding="ascii") as f:
            f.write(f"{address} {name}\n")
        os.chmod(self.hosts, 0o644)

    def apply(self, objects):
        for one in objects:
            if one["kind"] in ("ConfigMap", "Secret"):
                text = one.get("data") or one["stringData"]
                (self.config_maps if one["kind"] == "ConfigMap" else self.secrets)[one["metadata"]["name"]] = text
        for pod in self.pods:
            pod.refresh()

    def start(self, deployment, name, wait=True):
        pod = Pod(self, deployment["spec"]["template"], name)
        self.pods.append(pod)
        pod.start()
        if wait:
            pod.wait_ready()
        return pod

    def close(self):
        for pod in self.pods:
            pod.kill()


class Pod:
    def __init__(self, cluster, template, name):
        self.cluster, self.name, self.spec = cluster, name, template["spec"]
        self.folder = os.path.join(cluster.folder, name)
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o755)
        self.node = cluster.lan.node()
        self.address, self.writes = self.node.address, 0
        self.containers = {one["name"]: Container(self, one) for one in self.spec["containers"]}
        self.volumes = {one["name"]: self.volume(one) for one in self.spec.get("volumes", [])}

    # -- volumes

    def volume(self, one):
        path = os.path.join(self.folder, "volume-" + one["name"])
        os.mkdir(path)
        kind = next(key for key in one if key != "name")
        group = self.spec["securityContext"].get("fsGroup", 0)
        os.chown(path, 0, group)
        os.chmod(path, {"emptyDir": 0o2777, "projected": 0o3777}[kind] if group else 0o777)
        return path

    def projected(self, sources):
        """{file: bytes} of the sources, by their `items` where they have some."""
        files = {}
        for source in sources:
            (kind, about), = source.items()
            text = {"configMap": self.cluster.config_maps, "secret": self.cluster.secrets}[kind][about["name"]]
            items = about.get("items") or [{"key": key, "path": key} for key in text]
            files.update({item["path"]: text[item["key"]].encode() for item in items})
        return files

    def refresh(self):
        """What the kubelet does once a minute: a folder with the new files, to which `..data` leads from one moment to the next."""
        for one in self.spec.get("volumes", []):
            if "projected" in one:
                self.lay(self.volumes[one["name"]], self.projected(one["projected"]["sources"]), one["projected"]["defaultMode"])

    def lay(self, path, files, mode):
        self.writes += 1
        new = f"..{self.writes:04}"
        os.mkdir(os.path.join(path, new), 0o755)
        os.chmod(os.path.join(path, new), 0o755)
        for name, text in files.items():
            with open(os.path.join(path, new, name), "wb") as f:
                f.write(text)
            os.chown(f.name, 0, self.spec["securityContext"].get("fsGroup", 0))
            os.chmod(f.name, mode)
        os.symlink(new, os.path.join(path, "..new"))
        os.rename(os.path.join(path, "..new"), os.path.join(path, "..data"))
        for name in files:
            with contextlib.suppress(FileExistsError):
                os.symlink(f"..data/{name}", os.path.join(path, name))
        if self.writes > 1:
            shutil.rmtree(os.path.join(path, f"..{self.writes - 1:04}"))

    # -- life

    def start(self):
        self.refresh()
        for container in self.containers.values():
            container.start()

    def wait_ready(self):
        for container in self.containers.values():
            container.started()
        wait_for(self.ready, patience(15), f"{self.name} is ready")

    def ready(self):
        return all(container.probe("readinessProbe") for container in self.containers.values())

    def logs(self):
        return {name: container.log() for name, container in self.containers.items()}

    def terminate(self):
        """As when the pod is deleted: preStop, then TERM, container by container; what is left at the end of the grace is killed. Returns
        {container: (exit code, seconds)}."""
        began = time.monotonic()
        ends = {}

        def end(name, container):
            container.pre_stop()
            container.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                container.child.process.wait(began + self.spec["terminationGracePeriodSeconds"] - time.monotonic())
            container.kill()
            ends[name] = (container.child.process.returncode, time.monotonic() - began)
        threads = [threading.Thread(target=end, args=item) for item in self.containers.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return ends

    def kill(self):
        for container in self.containers.values():
            container.kill()


class Container:
    def __init__(self, pod, about):
        self.pod, self.about, self.child = pod, about, None
        self.secure = {**pod.spec["securityContext"], **about["securityContext"]}

    def environment(self):
        fields = {"metadata.name": self.pod.name, "metadata.namespace": self.pod.cluster.namespace}
        made = {"PATH": PATH}
        for one in self.about.get("env", []):
            source = one.get("valueFrom", {})
            if "fieldRef" in source:
                made[one["name"]] = fields[source["fieldRef"]["fieldPath"]]
            elif "secretKeyRef" in source:
                made[one["name"]] = self.pod.cluster.secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
            else:
                made[one["name"]] = one["value"]
        return made

    def start(self):
        root = os.path.join(self.pod.folder, "root-" + self.about["name"])
        os.makedirs(root, exist_ok=True)
        mounts = [(source, target, "ro") for source, target in self.pod.cluster.files]
        for mount in self.about.get("volumeMounts", []):
            assert "subPath" not in mount
            mounts.append((self.pod.volumes[mount["name"]], mount["mountPath"], "ro" if mount.get("readOnly") else "rw"))
        who = [str(self.secure.get(key, "")) for key in ("runAsUser", "runAsGroup", "fsGroup")]
        locked = ["no" if self.secure["allowPrivilegeEscalation"] else "yes", "yes" if self.secure["capabilities"] == {"drop": ["ALL"]} else "no"]
        command = self.about.get("command", ENTRYPOINT) + self.about.get("args", [])
        self.child = Child(["env", "-i", *(f"{name}={value}" for name, value in self.environment().items()), *self.pod.node.prefix,
                            "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ROOT, "sh", root,
                            *(word for mount in mounts for word in mount), "--", "ro" if self.secure["readOnlyRootFilesystem"] else "rw",
                            sys.executable, "-c", ENTER, root, *who, *locked, *command],
                           self.pod.folder, self.about["name"])

    def first(self):
        """The container's process 1, by its number on this machine."""
        with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def exec(self, *command, timeout=10):
        """As `kubectl exec`, and as probes and hooks are run: beside process 1, with its root, user and environment."""
        return subprocess.run(["nsenter", f"--target={self.first()}", "--mount", "--pid", "--net", "--root", "--wd",
                               f"--setuid={self.secure['runAsUser']}", f"--setgid={self.secure['runAsGroup']}", *command],
                              env=self.environment(), capture_output=True, text=True, check=False, timeout=patience(timeout), stdin=subprocess.DEVNULL)

    def probe(self, kind):
        """True where there is none."""
        about = self.about.get(kind)
        if about is None:
            return True
        if "httpGet" in about:
            ports = {port["name"]: port["containerPort"] for port in self.about["ports"]}
            try:
                with Client((self.pod.address, ports[about["httpGet"]["port"]]), about.get("timeoutSeconds", 1)) as client:
                    return client.ask("GET", about["httpGet"]["path"]).status == 200
            except OSError:
                return False
        return self.exec(*about["exec"]["command"], timeout=about["timeoutSeconds"]).returncode == 0

    def started(self):
        """Waits for the startup probe."""
        about = self.about.get("startupProbe", {"failureThreshold": 60, "periodSeconds": 1})
        until = time.monotonic() + min(about["failureThreshold"] * about["periodSeconds"], patience(15))
        while time.monotonic() < until:
            assert self.child.running(), f"{self.about['name']} of {self.pod.name} has ended: {self.log()}"
            if self.child_is_there() and self.probe("startupProbe"):
                return
            time.sleep(about["periodSeconds"] / 5)  # a fifth, so that the tests need not wait
        raise AssertionError(f"{self.about['name']} of {self.pod.name} does not start: {self.log()}")

    def child_is_there(self):
        """Whether process 1 is the command already, and no longer the shell that prepares its root."""
        try:
            return os.stat(f"/proc/{self.first()}").st_uid == self.secure["runAsUser"]
        except (IndexError, FileNotFoundError):
            return False

    def pre_stop(self):
        hook = self.about.get("lifecycle", {}).get("preStop")
        if hook:
            done = self.exec(*hook["exec"]["command"], timeout=self.pod.spec["terminationGracePeriodSeconds"])
            assert done.returncode == 0, done.stderr

    def signal(self, number):
        if self.child.running():
            os.kill(self.first(), number)

    def kill(self):
        if self.child and self.child.running():
            with contextlib.suppress(IndexError, ProcessLookupError):
                os.kill(self.first(), signal.SIGKILL)
            self.child.process.wait(20)

    def log(self):
        return self.child.stdout() + self.child.stderr()
