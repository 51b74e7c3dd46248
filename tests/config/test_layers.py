"""Files over files: who wins, and whom a file that cannot be read breaks."""

import pytest

from banwatch.config.layers import Layers
from banwatch.config.problem import render_problem
from banwatch.config.tree import Text


@pytest.fixture
def layers(directories):
    def read():
        found = Layers()
        found.add_filters((directories.shipped / "filters", "filters"), strict=False)
        found.add_filters((directories.etc / "filters.d", "filters.d"))
        found.add_jails((directories.shipped / "jails", "jails"), strict=False)
        found.add_jails((directories.etc / "jails.d", "jails.d"))
        return found

    return read


def said(layers):
    return [render_problem(problem) for problem in layers.problems]


def test_byte_order(directories, layers):
    """Of two files the later in byte order wins, and upper case comes before lower case."""
    directories.write("jails.d/a.yaml", "svc: {bantime: 1m}")
    directories.write("jails.d/B.yaml", "svc: {bantime: 2m}")
    bantime = layers().jails["svc"].node.entries["bantime"]
    assert (bantime.node.value, bantime.mark.file) == ("1m", "jails.d/a.yaml")


def test_several_jails_in_a_file(directories, layers):
    """A file's outermost keys are jails; its name is nobody's."""
    directories.write("jails.d/mine.yaml", "one: {}\ntwo: {}\n")
    assert list(layers().jails) == ["svc", "one", "two"]


def test_a_filter_is_named_like_its_file(directories, layers):
    """A filter's keys merge with those of the shipped filter of the same file name."""
    directories.write("filters.d/svc.yaml", "description: mine")
    directories.write("filters.d/own.yaml", "failregex: {}")
    filters = layers().filters
    assert list(filters) == ["svc", "own"]
    assert filters["svc"].node.entries["description"].node == Text("mine", ("filters.d/svc.yaml", 1))
    assert "failregex" in filters["svc"].node.entries


def test_files_that_are_never_read(directories, layers):
    """A shipped directory may hold anything; in the operator's, what is not read is told."""
    (directories.shipped / "jails/README").touch()
    directories.write("jails.d/jail.yml", "")
    found = layers()
    assert said(found) == ["jails.d/jail.yml: warning: never read; expected a name that ends in .yaml"]
    assert found.broken_jails == {}


def test_a_broken_file_breaks_the_jails_it_is_about(directories, layers):
    """Without what the operator wrote a jail would run in a way that nobody chose; the other jails go on."""
    directories.write("jails.d/x.yaml", 'svc:\n  bantime: [\n"other":\n  ports: [1]\n')
    found = layers()
    flow = "did not find expected ',' or ']', while parsing a flow sequence from line 2 on"
    assert said(found) == [f"jails.d/x.yaml:4: not YAML: {flow}"]
    assert list(found.broken_jails) == ["svc", "other"]
    assert found.problems[0].jail is None


def test_a_broken_file_about_one_jail(directories, layers):
    """The problem is put down to the only jail it is about."""
    directories.write("jails.d/x.yaml", "svc:\n  bantime: [\n")
    assert layers().problems[0].jail == "svc"


@pytest.mark.parametrize(("name", "broken"), [("svc.yaml", ["svc"]), ("mine.yaml", [])])
def test_a_file_that_tells_nothing(directories, layers, name, broken):
    """What cannot even be looked at is about the jail it is named after, if there is one."""
    directories.write(f"jails.d/{name}", b"\xff\n")
    found = layers()
    assert said(found) == [f'jails.d/{name}:1: expected UTF-8, got "\\\\xff"']
    assert list(found.broken_jails) == broken


def test_a_link_to_nothing(directories, layers):
    """A dangling link is a problem, not an absent file."""
    (directories.etc / "jails.d/svc.yaml").symlink_to("gone")
    (directories.etc / "filters.d/svc.yaml").symlink_to("gone")
    found = layers()
    assert said(found) == [
        'filters.d/svc.yaml: expected a file, got "a link to nothing"',
        'jails.d/svc.yaml: expected a file, got "a link to nothing"',
    ]
    assert (list(found.broken_filters), list(found.broken_jails)) == (["svc"], ["svc"])


def test_a_broken_filter_file(directories, layers):
    """A filter file that cannot be read breaks the filter of its name."""
    directories.write("filters.d/svc.yaml", "failregex:\n  auth:\n    - ^a: b: c\n")
    found = layers()
    assert said(found) == ["filters.d/svc.yaml:3: not YAML: mapping values are not allowed in this context"]
    assert (list(found.broken_filters), found.problems[0].filter) == (["svc"], "svc")


def test_keys_that_stand_twice(directories, layers):
    """A key that stands twice breaks the jail or filter it stands in, and no other."""
    directories.write("jails.d/x.yaml", "svc: {ports: [1], ports: [2]}\nother: {}\n")
    directories.write("filters.d/own.yaml", "date: x\ndate: y\n")
    found = layers()
    assert said(found) == [
        "filters.d/own.yaml:2: date: stands here again; first in line 1",
        "jails.d/x.yaml:1: svc.ports: stands here again; first in line 1",
    ]
    assert (list(found.broken_filters), list(found.broken_jails)) == (["own"], ["svc"])


def test_names(directories, layers):
    """A jail cannot be called allow, nor anything that a set or a command line could not bear."""
    directories.write("jails.d/x.yaml", "allow: {}\n-x: {}\na/b: {}\n")
    directories.write("filters.d/a b.yaml", "")
    name = "expected a name of letters, digits, _ . and -, not beginning with -"
    found = layers()
    assert said(found) == [
        f'filters.d/a b.yaml: {name} (fail2ban\'s files are not read yet), got "a b"',
        f'jails.d/x.yaml:1: allow: {name}; allow is reserved, got "allow"',
        f'jails.d/x.yaml:2: -x: {name}, got "-x"',
        f'jails.d/x.yaml:3: a/b: {name}, got "a/b"',
    ]
    assert list(found.jails) == ["svc"]


def test_a_directory_that_cannot_be_listed(directories, layers):
    """The other directories are read all the same."""
    (directories.etc / "jails.d").rmdir()
    (directories.etc / "jails.d").touch()
    found = layers()
    assert said(found) == ['jails.d: expected a readable directory, got "Not a directory (errno 20)"']
    assert list(found.jails) == ["svc"]
