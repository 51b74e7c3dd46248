"""Names of rotated logs, and their order."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.sources.opened import Identity
from banwatch.sources.rotated import Rotated, arrange, find_bases, find_logs, split_ending


def names(name):
    return dict(find_bases(name))


def test_the_names_that_logrotate_gives():
    """Whatever its options; a name may be read in more than one way, and the log that is there decides."""
    assert names("mainlog.1") == {"mainlog": "1"}
    assert names("mainlog.12.gz") == {"mainlog": "12"}
    assert names("mail.log.1") == {"mail.log": "1"}
    assert names("auth.log-20261127") == {"auth.log": "20261127"}
    assert names("auth.log-20261127-1795168800.zst") == {"auth.log": "20261127-1795168800", "auth.log-20261127": "1795168800"}
    assert names("auth.log-2026-11-27T10:00:00.xz")["auth.log"] == "2026-11-27T10:00:00"
    assert names("app-20261127.log.bz2") == {"app.log": "20261127"}
    assert names("app.1.log") == {"app.log": "1"}
    assert names("access_log_20261127") == {"access_log": "20261127"}
    assert names("daemon.log.0") == {"daemon.log": "0"}
    assert names("daemon.log.old") == {"daemon.log": "old"}


def test_other_names():
    """A log is not its own rotated file, nor is one that was named by a person."""
    for name in ("mainlog", "mail.log", ".1", "1", "auth.log.bak", "auth.log~", "auth.log.swp", ".gz", ""):
        assert names(name) == {}


@given(st.text(st.sampled_from("a1.-_gz"), max_size=20))
def test_any_name(name):
    """Each log that it could be of is shorter, and there are no more of them than separators."""
    found = list(find_bases(name))
    assert len(found) <= sum(name.count(letter) for letter in ".-_")
    assert all(base and stamp and len(base) < len(name) for base, stamp in found)


def test_endings():
    """Also of what nobody here can unpack."""
    assert split_ending("a.log.1.gz") == ("a.log.1", "gz")
    assert split_ending("a.log.1.lz4") == ("a.log.1", "lz4")
    assert split_ending("a.log.1") == ("a.log.1", "")


def order(*files):
    """The stamps in their order; files are (stamp, written)."""
    found = [Rotated(stamp, stamp, "", Identity(0, number), written, 0) for number, (stamp, written) in enumerate(files)]
    return [one.stamp for one in arrange(found)]


def test_numbers_grow_with_age():
    """Whatever their times say: a late writer may have written to an old one."""
    assert order(("1", 5), ("10", 9), ("2", 7), ("0", 1)) == ["10", "2", "1", "0"]
    assert order(("old", 5), ("2", 6)) == ["2", "old"]


def test_dates_go_by_the_last_line():
    """A format need not sort; of equal times the stamp decides."""
    assert order(("27-11-2026", 30), ("26-11-2026", 20), ("01-12-2026", 40)) == ["26-11-2026", "27-11-2026", "01-12-2026"]
    assert order(("20261127", 1), ("20261126", 1)) == ["20261126", "20261127"]
    assert order(("1", 9), ("20261127", 5)) == ["20261127", "1"]
    assert order(("2026", 9), ("2025", 5)) == ["2025", "2026"]


def test_dates_that_sort():
    """They do so whatever their times say."""
    assert order(("20261127", 1), ("20261126", 9)) == ["20261126", "20261127"]
    assert order(("2026-11-27_10", 1), ("2026-11-26_11", 9)) == ["2026-11-26_11", "2026-11-27_10"]
    assert order(("1795168800", 1), ("1795168700", 9)) == ["1795168700", "1795168800"]
    assert order(("20262711", 1), ("20262611", 9)) == ["20262711", "20262611"]


def test_whose_rotated_file_a_path_may_be():
    """In the same directory."""
    assert find_logs("/var/log/mainlog.1.gz") == {"/var/log/mainlog"}
    assert find_logs("/var/log/app-20261127.log") == {"/var/log/app.log"}
    assert find_logs("/var/log.1/mainlog") == set()
    assert find_logs("mainlog.1") == {"mainlog"}
