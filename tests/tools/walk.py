#!/usr/bin/python3
"""Types the commands of documents and shows what is seen: /usr/bin/python3 tests/tools/walk.py docs/howto/NAME.md …
The binary is that of SLUICE, else build/release/sluice. Exit code 1 when something is not as the document says."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("SLUICE", os.path.join(HERE, "..", "..", "build", "release", "sluice"))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
from harness import walk  # noqa: E402  pylint: disable=wrong-import-position


def main():
    bad = 0
    for path in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            blocks, faults = walk.walk(os.path.abspath(path), folder)
        for block in blocks:
            print(f"--- {path}:{block.line}\n{block.text}--- said:\n{block.said}")
        print("\n".join(faults) or f"{path}: {len(blocks)} blocks, all as written")
        bad += bool(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
