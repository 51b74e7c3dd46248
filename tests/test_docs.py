"""What README.md and the pages for operators show is there."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from banwatch.cli import client, main
from banwatch.config.load import load_config

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs/install.md",
    ROOT / "docs/how-it-works.md",
    ROOT / "docs/filters.md",
    ROOT / "docs/replay.md",
    ROOT / "docs/logins.md",
]
FILTERS = ROOT / "docs/filters.md"


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
                yield pytest.param(shlex.split(line), id=f"{page.name}: {line.strip()}")


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
    examples = [text for page in PAGES for text in blocks(page, "yaml")]
    assert examples
    for directory in ("jails.d", "filters.d"):
        (tmp_path / directory).mkdir()
    # Filters first: a jail may watch them.
    for example in sorted(examples, key=lambda text: not is_filter(text)):
        name = re.search(r"^# \S*/(\S+\.yaml)$", example, re.M)
        path = tmp_path / ("filters.d" if is_filter(example) else "jails.d") / (name[1] if name else "example.yaml")
        if path.name == "banwatch.yaml":
            path = tmp_path / path.name
        path.write_text(example)
        assert load_config(tmp_path).problems == ()


def is_filter(example):
    return bool(yaml.safe_load(example).keys() & {"failregex", "failfields", "hintregex"})


def dialogues():
    """Each command that a page shows with what it answers."""
    for block in blocks(FILTERS, "console"):
        command, _, answer = block.partition("\n")
        yield pytest.param(shlex.split(command.removeprefix("$ "))[1:], answer, id=command[2:60])


@pytest.fixture
def as_shown(tmp_path, monkeypatch):
    """A directory with the files that the page shows, as they stand there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "filters.d").mkdir()
    (tmp_path / "shop.log").write_text(blocks(FILTERS, "text")[0])
    for example in filter(is_filter, blocks(FILTERS, "yaml")):
        name = re.search(r"^# /etc/banwatch/filters\.d/(\S+)$", example, re.M)[1]
        (tmp_path / name).write_text(example)
        (tmp_path / "filters.d" / name).write_text(example)
    return tmp_path


@pytest.mark.parametrize(("words", "answer"), list(dialogues()))
def test_a_command_answers_as_shown(as_shown, capsys, words, answer):
    """Line by line; `check` has more to say."""
    if words[0] == "check":
        main.main([*words, "--config", str(as_shown)])
        printed = capsys.readouterr().out.splitlines()
        assert [line for line in printed if line in answer.splitlines()] == answer.splitlines()
    else:
        main.main(words)
        printed = capsys.readouterr()
        assert (printed.out[: len(answer)], printed.err) == (answer, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page):
    """Every link to a file of the repository leads to one."""
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
