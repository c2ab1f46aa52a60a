#!/usr/bin/python3
"""Stands in for `docker` where there is no engine: answers the calls of docker/*.sh as docker's reference says, and refuses all
others. A container is a process of the machine: the program under test, with the very signals that are sent, in the network that
the script is in. What is wrong with the image is $STAND_IN_FAULT; calls and containers are in $STAND_IN_STATE."""
import os
import shutil
import signal
import subprocess
import sys

STATE = os.environ["STAND_IN_STATE"]
FAULT = os.environ.get("STAND_IN_FAULT", "")
BINARY = os.environ["STAND_IN_SLUICE"]
FILES = os.environ.get("STAND_IN_FILES")  # a tar: what the image has
BUILD = os.path.dirname(BINARY)
NARROW = ["--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
HEALTH = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"


def refuse(why):
    print(f"docker: {why}: {sys.argv[1:]}", file=sys.stderr)
    sys.exit(125)


def noted(name, what):
    return os.path.join(STATE, f"{name}.{what}")


def known(name, what):
    try:
        with open(noted(name, what), encoding="utf-8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return None


def note(name, what, text):
    with open(noted(name, what), "w", encoding="utf-8") as f:
        f.write(text)


def is_there(name):
    if known(name, "image") is None:
        refuse("No such container")


def run_narrow(arguments):
    """`run` as check-image.sh wants it: nothing to write to, no network, no capabilities."""
    if arguments[:len(NARROW)] != NARROW:
        refuse("not as narrow as it should be")
    arguments = arguments[len(NARROW):]
    if arguments[0] == "--detach":
        return start(arguments[1:])
    if arguments[0] != "--rm":
        refuse("unknown")
    if "demo" in arguments:
        arguments[1:3] = [] if arguments[1:3] == ["--tmpfs", "/tmp"] else refuse("the demo has no /tmp")
    if FAULT == "version" and arguments[2] == "version":
        print("sluice 9.9.9 (abcdef0)")
        return 0
    if FAULT == arguments[2]:  # demo
        return 1
    if FAULT == "exec":
        refuse("exec format error")
    return subprocess.run([BINARY, *arguments[2:]], check=False).returncode


def start(arguments):
    """--name NAME --volume FOLDER:/etc/sluice:ro IMAGE, which runs what the image's CMD says."""
    if len(arguments) != 5 or arguments[::2][:2] != ["--name", "--volume"] or not arguments[3].endswith(":/etc/sluice:ro"):
        refuse("unknown")
    name = arguments[1]
    note(name, "image", arguments[4])
    command = [BINARY, "run", "-c", os.path.join(arguments[3].split(":")[0], "sluice.yaml")]
    if FAULT == "dies":
        command = ["false"]
    keeper = f'"$@" & echo $! >"{noted(name, "pid")}"; code=0; wait $! || code=$?; echo $code >"{noted(name, "code")}"'
    with open(noted(name, "log"), "w", encoding="utf-8") as log:
        subprocess.Popen(["sh", "-c", keeper, "sh", *command],  # pylint: disable=consider-using-with
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    print("0" * 64)
    return 0


def health(name):
    """As the image's HEALTHCHECK says it."""
    if known(name, "code") is not None:
        return "exited unhealthy"
    if FAULT in ("unhealthy", "none", "starting"):
        return "running " + FAULT
    asked = subprocess.run([BINARY, "status", "--once"], capture_output=True, check=False)
    return "running healthy" if asked.returncode == 0 else "running starting"


def inspect(form, name):
    is_there(name)
    answers = {HEALTH: lambda: health(name), "{{.State.ExitCode}}": lambda: known(name, "code") or "0",
               "{{.State.Status}}": lambda: "running" if known(name, "code") is None else "exited"}
    if form not in answers:
        refuse("unknown")
    print(answers[form]())
    return 0


def kill(number, name):
    is_there(name)
    if (FAULT, number) in (("deaf", "HUP"), ("stubborn", "TERM")):
        return 0
    if FAULT == "killed" and number == "TERM":
        number = "KILL"
    os.kill(int(known(name, "pid")), getattr(signal, "SIG" + number))
    return 0


def remove(name):
    pid = known(name, "pid")
    if pid and known(name, "code") is None:
        os.kill(int(pid), signal.SIGKILL)
    if known(name, "image") is not None:
        os.remove(noted(name, "image"))
    return 0


def export(out, name):
    is_there(name)
    if FAULT in ("big", "empty"):
        out.write(bytes(60_000_000 if FAULT == "big" else 10_000))
    else:
        with open(FILES, "rb") as f:
            shutil.copyfileobj(f, out)
    return 0


def export_to(path, name):
    with open(path, "wb") as out:
        return export(out, name)


def save(path, image):
    if FAULT == "save":
        return 1
    with open(path, "w", encoding="ascii") as out:
        print(image, file=out)
    return 0


def create(name, image):
    note(name, "image", image)
    print("0" * 64)
    return 0


def tell(text):
    print(text)
    return 0


def tell_bill(volume, *argv):
    """What was built is what is tested here; the image of its build stage has it at build/release."""
    folder = volume.split(":")[0]
    return subprocess.run([sys.executable, "-B", *(one.replace("/image/", folder + "/").replace("build/release", BUILD) for one in argv)],
                          check=False).returncode


def answer(argv):
    match argv:
        case ["create", "--name", name, image]:
            return create(name, image)
        case ["export", name]:
            return export(sys.stdout.buffer, name)
        case ["export", "--output", path, name]:
            return export_to(path, name)
        case ["rm", "--volumes", name] | ["rm", "--force", "--volumes", name]:
            return remove(name)
        case ["image", "inspect", "--format", "{{.Config.User}}", _]:
            return tell({"root": "", "zero": "0:0"}.get(FAULT, "10001:10001"))
        case ["run", "--rm", "--network", "none", "--env", _, "--volume", volume, "--entrypoint", "python3", "sluice-build", *rest]:
            return tell_bill(volume, *rest)
        case ["run", *rest]:
            return run_narrow(rest)
        case ["inspect", "--format", form, name]:
            return inspect(form, name)
        case ["kill", "--signal", ("HUP" | "TERM") as number, name]:
            return kill(number, name)
        case ["exec", name, "sluice", *rest]:
            is_there(name)
            return subprocess.run([BINARY, *rest], check=False).returncode
        case ["logs", name]:
            return tell(known(name, "log") or "")
        case ["version", "--format", "{{.Server.Arch}}"]:
            return tell("amd64")
        case ["save", "--output", path, image]:
            return save(path, image)
        case ["buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", _]:
            return tell("sha256:" + "1" * 64)
        case ["tag", _, _]:
            return 1 if FAULT == "tag" else 0
        case ["build", *_] | ["load", "--input", _] | ["push", _] | ["buildx", "imagetools", "create", "--tag", *_]:
            return 1 if FAULT == argv[0] else tell("done")
    return refuse("unknown")


with open(os.path.join(STATE, "calls"), "a", encoding="utf-8") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\n")
sys.exit(answer(sys.argv[1:]))
