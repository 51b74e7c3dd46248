"""What all patterns together lead to."""

import errno

import pytest

from banwatch.sources.sightings import Absent, add_absent, find_files, render_errno, was_hidden


def look(*patterns):
    return find_files(frozenset(map(str, patterns)), lambda directory, name: None)


def test_each_file_is_seen_once_with_all_its_paths(tmp_path):
    """Links and overlapping globs are more paths to the same file; each path knows its patterns."""
    one, two, link = tmp_path / "1.log", tmp_path / "2.log", tmp_path / "link"
    one.touch()
    two.touch()
    link.symlink_to("1.log")
    glob = tmp_path / "*.log"
    sightings, absent = look(glob, link, one)
    assert [(sighting.real, sighting.paths) for sighting in sightings] == [
        (str(one), {str(one): {str(glob), str(one)}, str(link): {str(link)}}),
        (str(two), {str(two): {str(glob)}}),
    ]
    assert absent == {}


def test_what_leads_nowhere_says_why(tmp_path):
    """Missing, without a match, or of the wrong kind; one reason per path, for all patterns that lead there."""
    (tmp_path / "a.log").mkdir()
    missing, glob, wrong = tmp_path / "b.log", tmp_path / "*.txt", tmp_path / "a.log"
    sightings, absent = look(missing, glob, wrong, tmp_path / "a.*")
    assert sightings == []
    assert absent == {
        str(missing): Absent("no such file or directory (errno 2)", errno.ENOENT, frozenset([str(missing)])),
        str(glob): Absent("no file matches", errno.ENOENT, frozenset([str(glob)])),
        str(wrong): Absent("not a file but a directory", 0, frozenset([str(wrong), str(tmp_path / "a.*")])),
    }


@pytest.mark.parametrize(
    ("number", "is_missing", "is_lasting"),
    [
        (errno.ENOENT, True, True),
        (errno.ENOTDIR, True, True),
        (errno.EACCES, False, True),
        (errno.EMFILE, False, False),
        (errno.EIO, False, False),
        (0, False, True),
    ],
)
def test_what_ends_by_itself_has_to_be_tried_again(number, is_missing, is_lasting):
    """The file systems tell when a name or a right changes, not when there are descriptors again."""
    absent = Absent("", number, frozenset())
    assert (absent.is_missing, absent.is_lasting) == (is_missing, is_lasting)


def test_a_file_may_have_been_hidden():
    """By an error of its own path, or of a glob it fits; a file that was not there was not hidden."""
    before: dict[str, Absent] = {}
    add_absent(before, "/a/b.log", "", errno.EACCES, frozenset("x"))
    add_absent(before, "/c/*.log", "", errno.EACCES, frozenset("x"))
    add_absent(before, "/d/*.log", "", errno.ENOENT, frozenset("x"))
    add_absent(before, "/e/f.log", "", 0, frozenset("x"))
    answers = {path: was_hidden([path], before) for path in ("/a/b.log", "/a/c.log", "/c/x.log", "/d/x.log", "/e/f.log")}
    assert answers == {"/a/b.log": True, "/a/c.log": False, "/c/x.log": True, "/d/x.log": False, "/e/f.log": False}


def test_errors_are_told_in_words_and_number():
    """In the system's words, as all messages begin: in lower case."""
    assert render_errno(13) == "permission denied (errno 13)"
