"""cli/filterfile.py: the filter that an operator names."""

import pytest

from banwatch.cli.filterfile import UsageError, as_messages, load_filter
from banwatch.config.model import FilterSpec
from banwatch.errors import ConfigError
from banwatch.filter import compile_filter


def test_by_name(tmp_path):
    """A shipped one, or the directory's own."""
    (tmp_path / "filters.d").mkdir()
    (tmp_path / "filters.d/own.yaml").write_text("failregex: {auth: ['^x <HOST>$']}")
    assert (load_filter("own", tmp_path).name, load_filter("sshd", tmp_path).name) == ("own", "sshd")
    with pytest.raises(UsageError, match="there is no filter 'nobody'") as caught:
        load_filter("nobody", tmp_path)
    assert caught.value.hint.startswith("filters: apache, ")


@pytest.mark.parametrize("name", ["own.yaml", "own.yml"])
def test_by_path(tmp_path, name):
    """What ends in .yaml or has a slash in it is a file, and the filter is called like it."""
    (tmp_path / name).write_text("failregex: {auth: ['^x <HOST>$']}")
    assert load_filter(str(tmp_path / name), tmp_path).name == "own"


@pytest.mark.parametrize(("name", "content"), [("own", "failregex: {auth: ['^x <HOST>$']}\nwrong: 1"), ("./own.yaml", "a: [")])
def test_broken(tmp_path, monkeypatch, name, content):
    """Its problems come along."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "filters.d").mkdir()
    for path in ("filters.d/own.yaml", "own.yaml"):
        (tmp_path / path).write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_filter(name, tmp_path)
    assert len(caught.value.problems) == 1


def test_no_such_file(tmp_path):
    """It is a matter of usage."""
    with pytest.raises(UsageError, match="there is no file"):
        load_filter(str(tmp_path / "none.yaml"), tmp_path)


@pytest.mark.parametrize(
    ("header", "date", "expected"),
    [
        (("syslog",), "%s", (("none",), None)),
        (("json",), "%s", (("json",), "%s")),
        (("json", "syslog"), None, (("none", "json"), None)),
    ],
)
def test_as_messages(header, date, expected):
    """Nothing stands before a message; objects of JSON have dates of their own."""
    fields = {"failfields": {"auth": ({"a": "<HOST>"},)}} if "json" in header else {}
    regexes = {} if header == ("json",) else {"failregex": {"auth": ("^x <HOST>$",)}}
    spec = as_messages(FilterSpec("own", program="x", header=header, date=date, **fields, **regexes))
    assert (spec.header, spec.date, spec.program) == (*expected, None)
    compile_filter(spec)
