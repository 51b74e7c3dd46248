"""The reference of all keys: complete, and up to date."""

from pathlib import Path

import pytest
import yaml

from banwatch.config.load import load_config
from banwatch.config.reference import fill_tables, render_table
from banwatch.config.schema import Fields, Key, Many, Scalar

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
WORD = Scalar("a word", str)


def test_up_to_date():
    """The page says what the tables say; `python -m banwatch.config.reference docs/configuration.md` makes it so."""
    page = PAGE.read_text()
    assert fill_tables(page) == page
    for name in ("jail", "watch", "rule", "filter", "example", "daemon"):
        assert f"<!-- keys: {name} -->" in page


def test_table():
    """A row for each key, inner ones by their path; neighbours that are alike share one."""
    fields = Fields(
        {
            "a": Key(WORD, "same", default="x"),
            "b": Key(WORD, "same", default="x"),
            "c": Key(Many(WORD, "a list", alone="all"), "list", default=("y", "z")),
            "d": Key(Fields({"e": Key(WORD, "inner", required=True), "f": Key(WORD, "else", without="d.e")}, "a mapping"), ""),
            "g": Key(WORD, "last"),
        },
        "a mapping",
    )
    assert render_table(fields) == (
        "| key | takes | without it | what it is for |\n"
        "| --- | --- | --- | --- |\n"
        "| `a`, `b` | a word | `x` | same |\n"
        "| `c` | a list: a word, or `all` | `[y, z]` | list |\n"
        "| `d.e` | a word | required | inner |\n"
        "| `d.f` | a word | d.e | else |\n"
        "| `g` | a word | nothing | last |\n"
    )


def _blocks():
    return [block.partition("```")[0] for block in PAGE.read_text().split("```yaml\n")[1:]]


@pytest.mark.parametrize("block", _blocks())
def test_examples(tmp_path, block):
    """Every piece of configuration on the page can be used as it stands."""
    outermost = set(yaml.safe_load(block))
    if outermost & {"defaults", "log"}:
        place = tmp_path / "banwatch.yaml"
    else:
        place = tmp_path / ("filters.d" if outermost & {"failregex", "failfields"} else "jails.d") / "example.yaml"
    place.parent.mkdir(exist_ok=True)
    place.write_text(block)
    assert load_config(tmp_path).problems == ()
