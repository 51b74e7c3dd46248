"""learn.py: who got in during the last month."""

import gzip
import os

import pytest

from banwatch.config.load import load_config
from banwatch.jail.known import DAY, MONTH
from banwatch.learn import Success, find_logs, is_worth_it, learn_logins

NOW = 1_795_255_200.0  # 2026-11-21 10:00 UTC
LOGIN = "{at}+00:00 mx dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={ip}, lip=192.0.2.1, mpid=1\n"
FAIL = (
    "2026-11-20T10:00:00+00:00 mx dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): "
    "user=<eve>, method=PLAIN, rip=198.51.100.1, lip=192.0.2.1, session=<x>\n"
)


def login(day, user="alice", ip="203.0.113.7", second=0):
    return LOGIN.format(at=f"2026-11-{day:02}T10:00:0{second}", user=user, ip=ip)


@pytest.fixture
def host(tmp_path):
    """host(name, text, age): a log, by default mail.log; `config` is one of a mail jail that watches it."""
    (tmp_path / "jails.d").mkdir()
    watch = f"{{dovecot: {{logs: [{tmp_path}/mail.log]}}, exim4: null, stalwart: null, cyrus-imap: null}}"
    jails = f"mail: {{enabled: true, watch: {watch}}}\n"
    (tmp_path / "jails.d/mail.yaml").write_text(jails)

    def write(name, text, age=0.0):
        data = text.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        os.utime(path, (NOW - age, NOW - age))
        return str(path)

    write.config = load_config(tmp_path)
    write.directory = tmp_path
    return write


def learnt(host):
    return [success for success in learn_logins(host.config, NOW) if success.jail == "mail"]


def test_rotated_and_packed_logs(host):
    """All that is there of a log is read, the good logins of it are found, in the order of time."""
    host("mail.log", login(21) + FAIL)
    host("mail.log.1", login(20, ip="203.0.113.8"))
    host("mail.log.2.gz", login(19) + login(19, user="bob"))
    host("mail.log-20261118", login(18))
    at = {day: NOW + (day - 21) * DAY for day in range(18, 22)}
    assert learnt(host) == [
        Success("mail", "203.0.113.7", "alice", at[18]),
        Success("mail", "203.0.113.7", "alice", at[19]),
        Success("mail", "203.0.113.7", "bob", at[19]),
        Success("mail", "203.0.113.8", "alice", at[20]),
        Success("mail", "203.0.113.7", "alice", at[21]),
    ]


def test_one_for_each_day(host):
    """Of many on one day the latest."""
    host("mail.log", "".join(login(20, second=second) for second in range(5)))
    assert [success.at for success in learnt(host)] == [NOW - DAY + 4]


def test_only_the_last_month(host):
    """Older lines, and lines of the future, tell nothing; a log that was not written to since is not opened."""
    host("mail.log", "2026-10-01T10:00:00+00:00" + login(1)[25:] + login(28))
    host("mail.log.3", login(20), age=MONTH + 1)
    assert learnt(host) == []


def test_what_is_no_log_of_it(host):
    """Other files beside it, and what cannot be unpacked, are left alone."""
    for name in ("mail.log.old", "mail.log.1.bak", "mail.logs", "xmail.log.1"):
        host(name, login(20))
    host("mail.log", login(20))
    (host.directory / "mail.log.1.gz").write_bytes(b"not packed")
    os.utime(host.directory / "mail.log.1.gz", (NOW, NOW))
    assert len(learnt(host)) == 1
    assert [path.rpartition("/")[2] for path in find_logs([f"{host.directory}/mail.log"], NOW - MONTH)] == [
        "mail.log",
        "mail.log.1.gz",
    ]


def test_whether_it_is_worth_it(host, tmp_path):
    """Where nobody counts by login, and no service asks, nothing has to be known."""
    assert is_worth_it(host.config)
    (tmp_path / "jails.d/mail.yaml").unlink()
    assert not is_worth_it(load_config(tmp_path))
    for doors in ("dovecot: {port: 4001}", "exim: {socket: /run/x}", "files: {pam: true}"):
        (tmp_path / "banwatch.yaml").write_text(f"doors: {{{doors}}}\n")
        assert is_worth_it(load_config(tmp_path))
