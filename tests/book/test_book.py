"""book/book.py: who is banned until when."""

import pytest

from banwatch.book.book import Book
from banwatch.model import ALLOW, Ban, Target

HOST = Target("net", "192.0.2.7")


def make(at=0.0, until=600.0, **changes):
    return Ban("sshd", changes.pop("target", HOST), "ip", at, until, **changes)


def test_a_ban_is_written_down_and_ends_on_time():
    """A ban is in the book until its end, not a moment longer."""
    book = Book()
    assert book.ban(make()) == make()
    assert book.next_expiry() == 600.0
    assert book.expire(599.9) == []
    [unban] = book.expire(600.0)
    assert (unban.ban, unban.at, unban.why) == (make(), 600.0, "expired")
    assert len(book) == 0
    assert book.next_expiry() is None


@pytest.mark.parametrize(
    ("first", "second", "until"),
    [(600.0, 900.0, 900.0), (900.0, 600.0, 900.0), (600.0, None, None), (None, 600.0, None), (600.0, 600.0, 600.0)],
)
def test_the_later_end_wins(first, second, until):
    """Repeating a ban never shortens it."""
    book = Book()
    book.ban(make(until=first))
    again = book.ban(make(at=5.0, until=second))
    assert book.get("sshd", HOST).until == until
    assert (again is None) == (until == first)


def test_a_prolonged_ban_counts_once():
    """Prolonging is not a second ban."""
    book = Book()
    book.ban(make(at=1.0))
    assert book.ban(make(at=50.0, until=700.0)) == make(at=50.0, until=700.0)
    assert book.totals == {"sshd": 1}


def test_a_stale_end_does_not_end_a_longer_ban():
    """The timer of the first end is void once the ban was prolonged."""
    book = Book()
    book.ban(make(until=10.0))
    book.ban(make(until=20.0))
    assert book.expire(15.0) == []
    assert len(book.expire(20.0)) == 1


def test_unban_and_ban_again():
    """An unban takes the entry and its timer; a new ban starts afresh."""
    book = Book()
    book.ban(make())
    assert book.unban("sshd", HOST, 5.0, "by command").why == "by command"
    assert book.unban("sshd", HOST, 5.0, "by command") is None
    assert book.next_expiry() is None
    assert book.ban(make(at=7.0, until=607.0)).at == 7.0
    assert book.totals == {"sshd": 2}


def test_a_recorded_ban_does_not_weaken_one_in_force():
    """`enforce: false` never lifts what is enforced, and enforcing wins over recording."""
    book = Book()
    book.ban(make(until=100.0))
    assert book.ban(make(until=900.0, enforce=False)) is None
    other = Book()
    other.ban(make(until=900.0, enforce=False))
    assert other.totals == {}
    assert other.ban(make(until=100.0)).enforce
    assert other.totals == {"sshd": 1}


def test_jails_and_realms_do_not_mix():
    """The same text is another entry in another jail, and as a login."""
    book = Book()
    book.ban(make())
    book.ban(make(target=Target("login", "192.0.2.7")))
    book.ban(Ban("dovecot", HOST, "ip", 0.0, 600.0))
    assert len(book) == 3
    assert list(book.of_jail("sshd")) == [HOST, Target("login", "192.0.2.7")]
    assert book.totals == {"sshd": 1, "dovecot": 1}


def test_adopting_what_the_kernel_holds():
    """Entries nobody decided here become bans of the jail with the kernel's remaining time; known ones stay."""
    book = Book()
    book.ban(make(until=600.0))
    other, net, forever = Target("net", "192.0.2.8"), Target("net", "198.51.100.0/24"), Target("net", "2001:db8::/64")
    adopted = book.adopt(
        {
            ("sshd", HOST): 9999.0,
            ("sshd", other): 60.0,
            ("sshd", net): 30.0,
            ("sshd", forever): None,
            ("gone", other): 60.0,
        },
        ["sshd"],
        100.0,
    )
    assert [(ban.target, ban.by, ban.until, ban.origin) for ban in adopted] == [
        (other, "ip", 160.0, "adopted"),
        (net, "net", 130.0, "adopted"),
        (forever, "ip", None, "adopted"),
    ]
    assert book.get("sshd", HOST).until == 600.0


def test_the_decision_replaces_adopted():
    """Lines that are read again give an adopted ban its reason back, although the kernel rounds its end up."""
    book = Book()
    book.adopt({("sshd", HOST): 501.0}, ["sshd"], 100.0)
    ban = book.ban(make(at=0.0, until=600.0, why="3 attempts in 600 s", rule="ip"))
    assert (ban.origin, ban.until, ban.at) == ("rule", 600.0, 0.0)


def test_a_full_book_sheds_what_ends_first():
    """What has no end, and who is allowed, stays; the count tells how many had to go."""
    book = Book(most=3)
    book.ban(Ban(ALLOW, HOST, "ip", 0.0, 5.0))
    hosts = [Target("net", f"192.0.2.{number}") for number in range(5)]
    for number, host in enumerate(hosts):
        book.ban(make(until=None if number == 4 else 100.0 - number, target=host))
    assert [(unban.ban.target, unban.why) for unban in book.shed(9.0)] == [
        (host, "the book is full") for host in (hosts[3], hosts[2], hosts[1])
    ]
    assert (len(book), book.shed_count, book.shed(9.0)) == (3, 3, [])
    assert [unban.ban.target for unban in book.expire(100.0)] == [HOST, hosts[0]]
    assert list(book.of_jail("sshd")) == [hosts[4]]


def test_a_book_of_bans_without_end_sheds_nothing():
    """There is nothing that ends first."""
    book = Book(most=1)
    for number in range(3):
        book.ban(make(until=None, target=Target("net", f"192.0.2.{number}")))
    assert book.shed(9.0) == []
    assert len(book) == 3


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_shift(seconds):
    """Every ban is moved with the clock, those without end too as far as they began."""
    book = Book()
    book.ban(make())
    book.ban(make(until=None, target=Target("net", "192.0.2.8")))
    book.shift(seconds)
    assert [(ban.at, ban.until) for ban in book] == [(seconds, 600.0 + seconds), (seconds, None)]
    assert book.next_expiry() == 600.0 + seconds


def test_a_forced_ban_stays_forced():
    """Prolonging it by a rule does not make it one that an ignored address loses."""
    book = Book()
    book.ban(make(forced=True))
    book.ban(make(until=900.0))
    assert [(ban.until, ban.forced) for ban in book] == [(900.0, True)]


def test_how_many_are_enforced():
    """However they come and go: each (jail, target) once, and neither logins nor what is only recorded."""
    book = Book(most=3)
    book.ban(make(enforce=False))
    book.ban(make(target=Target("login", "bob")))
    assert book.enforced == 0
    book.ban(make())
    book.ban(make(until=900.0))
    assert book.enforced == 1
    for number in range(2, 5):
        book.ban(make(until=500.0, target=Target("net", f"198.51.100.{number}")))
    assert book.enforced == 4
    assert (len(book.shed(0.0)), book.enforced) == (2, 2)
    book.unban("sshd", HOST, 1.0, "by command")
    assert book.enforced == 1
    book.expire(1000.0)
    assert (len(book), book.enforced) == (0, 0)


def test_a_book_goes_on():
    """Loaded with the bans of another it is that book: sizes, ends, totals."""
    bans = [
        Ban("sshd", Target("net", f"192.0.2.{number}"), "ip", 100.0 - number, 200.0 - number if number % 3 else None)
        for number in range(9)
    ]
    bans += [Ban("sshd", Target("login", "bob"), "login", 1.0, 150.0), Ban("mail", bans[0].target, "ip", 1.0, 2.0, enforce=False)]
    book, loaded = Book(), Book()
    for ban in bans:
        book.ban(ban)
    loaded.load(bans)
    assert (list(loaded), len(loaded), loaded.enforced, loaded.totals) == (list(book), len(book), book.enforced, book.totals)
    assert loaded.next_expiry() == book.next_expiry() == 2.0
    assert loaded.expire(199.0) == book.expire(199.0)
