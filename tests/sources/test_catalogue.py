"""Names and open files in step."""

import os

import pytest

from banwatch.sources import catalogue as catalogue_module
from banwatch.sources.catalogue import STALE, Catalogue
from banwatch.sources.handles import Handles

NOW = 1_700_000_000.0


@pytest.fixture
def handles(hand):
    handles = Handles(hand, 1.0)
    yield handles
    for followed in list(handles.files.values()):
        handles.drop(followed)


@pytest.fixture
def catalogue(hand, handles):
    return Catalogue(handles, hand, lambda: NOW, 1000, {})


@pytest.fixture
def look(catalogue):
    """look(path, ...) gives the sources of the files that may have something unread."""

    def look(*patterns, new=()):
        unread = catalogue.look(frozenset(map(str, patterns)), frozenset(map(str, new)))
        return [followed.source for followed in unread]

    return look


def test_a_second_look_finds_nothing_new(tmp_path, look):
    """What is followed already is not opened again, and need not be read for that."""
    (tmp_path / "a").touch()
    assert look(tmp_path / "a", tmp_path / "b") == [str(tmp_path / "a")]
    assert look(tmp_path / "a", tmp_path / "b") == []


@pytest.mark.parametrize(("age", "stood"), [(STALE - 1, 0), (STALE + 1, 4)])
def test_a_file_that_turns_up_is_new_unless_it_is_old(tmp_path, look, handles, age, stood):
    """Last written longer ago than a minute: what it holds was not written just now."""
    (tmp_path / "a").write_bytes(b"one\n")
    os.utime(tmp_path / "a", (NOW - age, NOW - age))
    look(tmp_path / "a")
    [followed] = handles.files.values()
    assert (followed.file.stood, followed.suspect) == (stood, stood == 0)


def test_a_new_pattern_finds_what_stood_there(tmp_path, look, handles):
    """Under whichever of its names."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"one\n")
        os.utime(tmp_path / name, (NOW, NOW))
    (tmp_path / "c").symlink_to("a")
    look(tmp_path / "a", tmp_path / "b", tmp_path / "c", new=[tmp_path / "c"])
    assert {followed.source: followed.file.stood for followed in handles.files.values()} == {
        str(tmp_path / "a"): 4,
        str(tmp_path / "b"): 0,
    }


def test_who_took_whose_place(tmp_path, look, catalogue, handles):
    """The new file waits for the old one; the next one finds the old one superseded."""
    path = tmp_path / "a"
    path.touch()
    look(path)
    first = catalogue.leads[str(path)]
    path.rename(tmp_path / "1")
    assert look(path) == [str(path)]
    assert (first.retired, first.moved) == (True, True)
    assert catalogue.leads[str(path)] is first
    path.touch()
    look(path)
    second = catalogue.leads[str(path)]
    assert (second.waits_for, first.superseded, catalogue.succeeded(first)) == ({first}, False, False)
    path.rename(tmp_path / "2")
    path.touch()
    look(path)
    assert (first.superseded, second.superseded) == (True, False)
    assert catalogue.leads[str(path)].waits_for == {second}
    handles.drop(catalogue.leads[str(path)])
    path.unlink()
    look(path)
    assert str(path) not in catalogue.leads


def test_unwanted_files_belong_to_nobody(tmp_path, look, handles):
    """They are left for whoever looks to close."""
    (tmp_path / "a").touch()
    look(tmp_path / "a")
    look(tmp_path / "b")
    [followed] = handles.files.values()
    assert followed.belongs_to == frozenset()


def test_a_file_is_replaced_between_look_and_open(tmp_path, look, handles, monkeypatch):
    """What was opened counts; if that is followed already, one of the two is closed."""
    one, two = tmp_path / "1", tmp_path / "2"
    one.touch()
    look(one)
    find_files = catalogue_module.find_files

    def replace(*arguments):
        found = find_files(*arguments)
        one.replace(two)
        return found

    two.touch()
    monkeypatch.setattr(catalogue_module, "find_files", replace)
    look(one, two)
    [followed] = handles.files.values()
    assert followed.paths == (str(one), str(two))
    monkeypatch.undo()
    look(one, two)
    assert followed.paths == (str(two),)


def test_files_of_the_same_pattern_are_siblings(tmp_path, look, catalogue, handles):
    """Only among those a copy is looked for."""
    for name in ("1.log", "2.log", "3"):
        (tmp_path / name).touch()
    look(tmp_path / "*.log", tmp_path / "3")
    followed = {one.source: one for one in handles.files.values()}
    assert catalogue.siblings(followed[str(tmp_path / "1.log")]) == [followed[str(tmp_path / "2.log")].file]
    assert catalogue.siblings(followed[str(tmp_path / "3")]) == []
