"""The README's five-minute tour, line by line."""
import os
import re

import pytest

from harness import walk

README = os.path.join(walk.ROOT, "README.md")


def run(heading, tmp_path):
    """Types the blocks of a section; what was seen."""
    blocks = [block for block in walk.read(README) if block.kind == "sh" and block.section == heading]
    assert blocks, f"the README has no section {heading} with commands"
    faults = walk.faults(README, blocks, walk.typed(blocks, str(tmp_path)), str(tmp_path))
    assert not faults, "\n\n".join(faults)
    return "".join(block.said for block in blocks)


@pytest.mark.heavy
def test_the_tour_works_line_by_line(tmp_path):
    text = run("Five-minute tour", tmp_path)
    # What the prose between the blocks says is seen to be so.
    variants = re.findall(r"(?i)^x-sluice-variant: (\S+)", text, re.M)
    assert len(variants) >= 2 and len(set(variants)) == 1, "the same user always meets the same variant"
    assert re.search(r"sluice\.yaml:\d+:\d+: .*wieght.*weight", text), "a mistake is named with its place"
    assert re.search(r"reloaded \S+sluice\.yaml", text)
    assert "is drained" in text and "is undrained" in text
    assert re.search(r'^sluice_requests_total\{route="chat",variant="\w+",code="2xx"\} [1-9]', text, re.M)
    assert re.search(r"-> rolled_back \(stable 100 %, canary 0 %\).*\n.* it is worse: e-value", text) and "exit code 3" in text


@pytest.mark.heavy
def test_the_prompt_test_works_line_by_line(tmp_path):
    text = run("An A/B test of two prompts", tmp_path)
    assert '"taken":500,"refused":0}' in text
    assert "winner: thorough" in text
    assert re.search(r"thorough\s+100%", text) and re.search(r"concise\s+0%", text), "the winner is promoted"
    assert re.search(r'sluice_cost_dollars_total\{route="assistant",variant="thorough"\} 0\.\d+', text)


def test_every_command_of_the_readme_exists():
    from harness.sluice import cli  # pylint: disable=import-outside-toplevel
    with open(README, encoding="utf-8") as f:
        commands = set(re.findall(r"^\s*(?:\$ )?(?:\./)?(?:build/\w+/)?sluice (\w+)", f.read(), re.M))
    usage = cli("--help").stdout
    assert commands
    for command in commands:
        assert re.search(rf"\b{command}\b", usage), command
