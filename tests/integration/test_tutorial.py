"""The tutorial as a new user goes through it: every line typed at a terminal, on a freshly installed Debian, with what is seen
compared with what the page shows."""
import os
import shutil
import tempfile

import pytest

from harness import walk
from harness.hand import BASH, Hand, lines, walk_by_hand
from harness.machine import Machine
from harness.package import build
from harness.root import Root
from harness.scale import patience
from harness.wait import wait_for

pytestmark = [pytest.mark.once, pytest.mark.heavy]
TUTORIAL = os.path.join(walk.ROOT, "docs", "tutorial.md")


@pytest.fixture
def machine(tmp_path):
    """A minimal Debian with systemd and the package's file in root's home folder. It has no network but loopback and a cable to
    here: what apt would fetch lies where apt keeps what it has fetched, and is not installed."""
    deb = build(tmp_path / "deb")
    with tempfile.TemporaryDirectory(prefix="slc-", dir="/dev/shm") as disk:  # memory: dpkg waits for a disk at every file
        root = Root(disk + "/root", "systemd-sysv", "dbus")
        shutil.copy(deb, root.path("/root/"))
        inside = "/root/" + os.path.basename(deb)
        root.run("apt-get", "-q", "install", "-y", "--download-only", inside, "curl", network=True)
        made = Machine(root, tmp_path)
        try:
            yield made
        finally:
            made.close()


def programs(machine):
    """The names of the machine's processes."""
    return set(machine.sh("cat /proc/[0-9]*/comm", check=False).split("\n"))


def test_a_new_user_types_the_tutorial_on_a_clean_machine(machine, tmp_path):
    assert machine.sh("command -v sluice curl", check=False) == ""
    hand = Hand(machine.argv("env", "TERM=xterm", "setsid", "--ctty", "--wait", "bash", "--login"), os.environ)
    try:
        blocks, fault = walk_by_hand(TUTORIAL, hand, patience(200))
        (tmp_path / "transcript").write_text(hand.transcript(), encoding="utf-8")
        assert not fault, f"{fault}\n--- the whole transcript:\n{hand.transcript()}"
        wait_for(lambda: not programs(machine) & {"sluice", "curl"}, patience(20), "what the tutorial started has ended")
    finally:
        hand.close()
    # All that stands in a block that is typed was typed, and the transcript has it.
    seen = hand.transcript()
    assert len(blocks) > 10
    for block in blocks:
        assert [line for line in lines(block) if line not in seen] == []
    assert machine.show("sluice", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}


# ---- that a page that is wrong fails

PAGE = """# A page

```console
# echo one >&2
```

```sh
cat <<'END' | tr a-z A-Z
two
END
sleep 300 &
printf 'sure? [Y/n] '; read -r answer
echo "$answer"
```
```text
TWO
sure? [Y/n] y
y
```

```sh
kill $(jobs -p)
wait
```
"""


def told(tmp_path, text, seconds=30):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    hand = Hand(BASH, {**os.environ, "LC_ALL": "C.UTF-8"}, tmp_path)
    try:
        return walk_by_hand(str(page), hand, patience(seconds))[1]
    finally:
        hand.close()


def running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_page_that_is_right_passes(tmp_path):
    assert told(tmp_path, PAGE) is None


@pytest.mark.parametrize("was, now, said", [
    ("\nTWO", "\nTOW", "page.md:16: something else is seen than is shown:"),
    ("sure? [Y/n] y\ny", "sure? [Y/n] y", "+y"),
    ("# echo one >&2", "# false", "page.md:4: false\n--- exit code 1"),
    ("# echo one >&2", "# ech one || true", "page.md:4: ech one || true\n--- seen:\nbash: ech: command not found"),
    ("# echo one >&2", "# echo 'one", "page.md:4: the block ends within a command"),
    ("wait\n", "(exit 3)\n", "page.md:23: (exit 3)\n--- exit code 3"),
], ids=str)
def test_a_page_that_is_wrong_fails(tmp_path, was, now, said):
    assert was in PAGE
    fault = told(tmp_path, PAGE.replace(was, now))
    assert fault and said in fault, fault


def test_a_line_that_hangs_is_told(tmp_path):
    fault = told(tmp_path, PAGE.replace("# echo one >&2", "# sleep 300"), seconds=1)
    assert fault and "page.md:4: sleep 300\n--- does not come to its end" in fault, fault


def test_what_a_page_starts_ends_with_the_terminal(tmp_path):
    page = PAGE.replace("sleep 300 &", "sleep 300 & echo $! > pid").replace("kill $(jobs -p)\nwait\n", "true\n")
    assert told(tmp_path, page) is None
    pid = int((tmp_path / "pid").read_text(encoding="ascii"))
    wait_for(lambda: not running(pid), patience(10), "the page's sleep has ended")


def test_what_was_drawn_over_is_not_seen(tmp_path):
    page = "```sh\nprintf 'kept\\na\\nb\\n\\033[2A\\033[Jc\\n\\033[1mbold\\033[0m\\n'\n```\n```text\nkept\nc\nbold\n```\n"
    assert told(tmp_path, page) is None
