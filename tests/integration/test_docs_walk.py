"""Every command block of the README, the tutorial and the how-tos, typed as it stands."""
import glob
import os

import pytest

from harness import walk
from harness.scale import patience
from harness.wait import wait_for

pytestmark = [pytest.mark.once, pytest.mark.heavy]
PAGES = ["docs/tutorial.md", "docs/pipeline.md", "docs/howto/*.md", "docs/explanation/*.md", "docs/operations/*.md"]
DOCUMENTS = sorted(os.path.relpath(path, walk.ROOT) for page in PAGES for path in glob.glob(os.path.join(walk.ROOT, page))
                   if any(block.kind == "sh" for block in walk.read(path)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_document_is_as_it_says(document, tmp_path):
    blocks, faults = walk.walk(os.path.join(walk.ROOT, document), tmp_path)
    assert blocks and not faults, "\n\n".join(faults)


# ---- that a document that is wrong fails

def told(tmp_path, text, seconds=60):
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    return walk.walk(str(path), folder, seconds)[1]


RIGHT = """# A page

```sh
echo "one  1234 ms"
echo two; echo three
```
```text
one … ms
…
three
```

```sh
sleep 300 &
printf ''
kill $(jobs -p)
```
"""


def test_a_page_that_is_right_passes(tmp_path):
    assert told(tmp_path, RIGHT) == []


@pytest.mark.parametrize("was, now, said", [
    ("…\nthree", "…\nthre", "page.md:8: something else is seen than is shown"),
    ("one … ms", "one … s", "-one … s"),
    ("…\nthree", "three", "+two"),
    ("printf ''", "false", "page.md:14: the block failed with exit code 1"),
    ("printf ''", 'echo "$nothing"', "nothing: unbound variable"),
    ("printf ''", "slice status", "exit code 127"),
    ("printf ''", "slice status || true", "command not found"),
    ("printf ''", "exit 3", "exit code 3"),
], ids=str)
def test_a_page_that_is_wrong_fails(tmp_path, was, now, said):
    assert was in RIGHT
    faults = "\n".join(told(tmp_path, RIGHT.replace(was, now)))
    assert said in faults, faults


def test_a_block_that_hangs_fails(tmp_path):
    fault, = told(tmp_path, RIGHT.replace("printf ''", "sleep 300"), seconds=1)
    assert "page.md:14: the block did not end in time" in fault


def test_what_a_page_starts_ends_with_it(tmp_path):
    assert told(tmp_path, RIGHT.replace("kill $(jobs -p)", f"echo $! > {tmp_path}/pid")) == []
    pid = (tmp_path / "pid").read_text(encoding="utf-8").strip()

    def ended():
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                return f.read().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True
    wait_for(ended, patience(10), "the page's sleep has ended")


def test_a_fence_without_end_is_told(tmp_path):
    with pytest.raises(AssertionError, match="page.md:3: a fence that does not end"):
        told(tmp_path, "# A page\n\n```sh\ntrue\n")
