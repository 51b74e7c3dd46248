"""What README.md and the pages for operators show is there."""

import re
from pathlib import Path

import pytest

from banwatch.cli import client, main
from banwatch.config.load import load_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs/install.md", ROOT / "docs/how-it-works.md"]


def blocks(page, *languages):
    """The code blocks of a page."""
    return [
        text for language, text in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S) if language in languages
    ]


def commands():
    """Every command line of banwatch's own that a page shows, without its comment."""
    for page in PAGES:
        for block in blocks(page, "sh", "console"):
            for line in re.findall(r"^(?:\$ )?(banwatch(?:-client)? [^#\n]*)", block, re.M):
                yield pytest.param(line.split(), id=f"{page.name}: {line.strip()}")


def test_the_first_two_commands():
    """A newcomer reads `make run` and `make test` first, and the Makefile has them."""
    first = blocks(ROOT / "README.md", "sh")[0]
    assert re.findall(r"^\S+ \S+", first, re.M) == ["make run", "make test"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    assert {"run", "test", "demo", "help"} <= set(targets)


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_exists(words):
    """The parser takes it as it stands there."""
    parser = {"banwatch": main.make_parser, "banwatch-client": client.make_parser}[words[0]]()
    assert parser.parse_args(words[1:]).command == words[1]


def test_a_drop_in_is_right(tmp_path):
    """Each YAML example is a configuration without a problem."""
    (tmp_path / "jails.d").mkdir()
    examples = [text for page in PAGES for text in blocks(page, "yaml")]
    assert examples
    for example in examples:
        (tmp_path / "jails.d/example.yaml").write_text(example)
        assert load_config(tmp_path).problems == ()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page):
    """Every link to a file of the repository leads to one."""
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
