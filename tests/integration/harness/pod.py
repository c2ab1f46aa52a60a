"""Pods of a Deployment, run on this machine as a kubelet runs them, as far as that goes without a cluster: what stands in the manifest is
what happens. Each pod has an address of its own; its containers are of the image (harness/container.py), by runc, with the user,
privileges, environment, volumes, probes and hooks of the manifest. A ConfigMap and a Secret are laid out as the kubelet does it, with
`..data`, and are swapped in one step. What is not there: a scheduler, the control groups of `resources`, a runtime's seccomp profile,
network policies. Needs root and runc."""
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time

from .client import Client
from .container import Container as OfImage
from .scale import patience
from .wait import wait_for

# What a runtime gives where a manifest drops nothing.
USUAL = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"]


class Cluster:
    """What pods have in common: a network, names, ConfigMaps and Secrets ({name: {file: text}})."""

    def __init__(self, folder, lan, image, namespace="default"):
        self.folder, self.lan, self.image, self.namespace = str(folder), lan, image, namespace
        self.config_maps, self.secrets, self.pods = {}, {}, []
        self.hosts = os.path.join(self.folder, "hosts")
        self.name("localhost", "127.0.0.1")

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
            container.run.told("TERM")
            with contextlib.suppress(subprocess.TimeoutExpired):
                container.run.child.process.wait(began + self.spec["terminationGracePeriodSeconds"] - time.monotonic())
            container.kill()
            ends[name] = (container.run.child.process.returncode, time.monotonic() - began)
        threads = [threading.Thread(target=end, args=item) for item in self.containers.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return ends

    def kill(self):
        for container in self.containers.values():
            container.kill()


class Run(OfImage):
    """A container with what the manifest's securityContext says, in place of what harness/container.py gives every one."""

    def __init__(self, secure, *arguments, **settings):
        self.secure = secure
        super().__init__(*arguments, **settings)

    def _config(self, *arguments):
        made = super()._config(*arguments)
        process = made["process"]
        process["user"] = {"uid": self.secure["runAsUser"], "gid": self.secure["runAsGroup"],
                           "additionalGids": [self.secure["fsGroup"]] if "fsGroup" in self.secure else []}
        process["noNewPrivileges"] = not self.secure["allowPrivilegeEscalation"]
        if self.secure["capabilities"] != {"drop": ["ALL"]}:
            process["capabilities"] = {kind: USUAL for kind in process["capabilities"]}
        made["root"]["readonly"] = self.secure["readOnlyRootFilesystem"]
        return made

    def first(self):
        """Its process 1, by its number on this machine."""
        done = subprocess.run(self._runc("state", self.name), capture_output=True, check=True, timeout=patience(10))
        return json.loads(done.stdout)["pid"]

    def end(self):
        self.told("KILL")
        self.child.process.wait(patience(20))
        subprocess.run(self._runc("delete", "--force", self.name), capture_output=True, check=False, timeout=patience(20))


class Container:
    def __init__(self, pod, about):
        self.pod, self.about, self.run = pod, about, None

    def environment(self):
        fields = {"metadata.name": self.pod.name, "metadata.namespace": self.pod.cluster.namespace}
        made = {}
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
        mounts = {"/etc/hosts": self.pod.cluster.hosts}
        writable = {}
        for mount in self.about.get("volumeMounts", []):
            assert "subPath" not in mount
            (mounts if mount.get("readOnly") else writable)[mount["mountPath"]] = self.pod.volumes[mount["name"]]
        command, arguments = self.about.get("command", []), self.about.get("args", [])
        self.run = Run({**self.pod.spec["securityContext"], **self.about["securityContext"]}, self.pod.cluster.image, self.pod.folder,
                       self.about["name"], *command[1:], *arguments, entrypoint=command[:1] or None, mounts=mounts, writable=writable,
                       env=self.environment(), network=self.pod.node.name)

    def exec(self, *command, timeout=10):
        """As `kubectl exec`, and as probes and hooks are run."""
        return self.run.exec(*command, timeout=timeout)

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
            assert self.run.child.running(), f"{self.about['name']} of {self.pod.name} has ended: {self.log()}"
            if self.probe("startupProbe"):
                return
            time.sleep(about["periodSeconds"] / 5)  # a fifth, so that the tests need not wait
        raise AssertionError(f"{self.about['name']} of {self.pod.name} does not start: {self.log()}")

    def pre_stop(self):
        hook = self.about.get("lifecycle", {}).get("preStop")
        if hook:
            done = self.exec(*hook["exec"]["command"], timeout=self.pod.spec["terminationGracePeriodSeconds"])
            assert done.returncode == 0, done.stderr

    def kill(self):
        if self.run:
            self.run.end()

    def log(self):
        return self.run.child.stdout() + self.run.child.stderr()
