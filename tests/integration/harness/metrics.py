"""Reads the Prometheus text format, strictly enough for tests."""
import re

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Metrics:
    def __init__(self, text):
        self.text = text
        self.samples = []  # (name, labels, value)
        for line in text.splitlines():
            if line and not line.startswith("#"):
                found = LINE.match(line)
                assert found, f"not a sample: {line!r}"
                labels = {name: value.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
                          for name, value in LABEL.findall(found[2] or "")}
                self.samples.append((found[1], labels, float(found[3])))

    def sum(self, name, **labels):
        """The sum of all samples of that name that have these labels; 0 when there is none."""
        return sum(value for sample, have, value in self.samples
                   if sample == name and all(have.get(k) == v for k, v in labels.items()))

    def values(self, name, label):
        """The set of values that a label takes."""
        return {have[label] for sample, have, _ in self.samples if sample == name and label in have}
