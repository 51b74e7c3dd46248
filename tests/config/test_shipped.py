"""The jails and filters that travel with the package."""

import time

import pytest

from banwatch.config.check import check_config
from banwatch.config.load import load_config
from banwatch.config.model import Limit
from banwatch.config.paths import shipped_dir


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load_config(tmp_path_factory.mktemp("etc"))


def test_nothing_is_wrong(config):
    """What is shipped has neither problems nor warnings, and every regex has an example that matches it."""
    assert config.problems == ()
    assert (
        check_config(config, time.time(), frozenset((protocol, port) for protocol in ("tcp", "udp") for port in range(65536)))
        == []
    )


def test_jails(config):
    """Each service's jail is on where the service is, and `manual` always; logs that a stranger can write into ban nobody."""
    assert {name for name, jail in config.jails.items() if jail.enabled != "auto"} == {"manual"}
    forgeable = {"gitea", "mysqld", "traefik-clf", "vaultwarden", "wireguard"}
    assert forgeable <= {name for name, jail in config.jails.items() if not jail.enforce}


def test_who_looks_for_logins_is_banned_by_itself(config):
    """What is on without being asked for counts failed logins only; looking around is for jails that are asked for."""
    kinds = {kind for name, jail in config.jails.items() if name != "wireguard" for rule in jail.rules for kind in rule.count}
    assert kinds == {"auth"}


@pytest.mark.parametrize(
    ("name", "limit", "bantime", "ports", "protocol"),
    [
        ("sshd", (3, 600), 1800, {22}, ("tcp",)),
        ("exim4", (5, 600), 600, {25, 465, 587}, ("tcp",)),
        ("dovecot", (5, 600), 600, {110, 143, 465, 587, 993, 995, 4190}, ("tcp",)),
        ("wireguard", (20, 600), 600, {51820}, ("udp",)),
    ],
)
def test_rules(config, name, limit, bantime, ports, protocol):
    """The limit, the bantime and the ports of each service."""
    jail = config.jails[name]
    (rule,) = jail.rules
    assert (rule.by, rule.limit, rule.bantime) == ("ip", Limit(*limit), bantime)
    assert {port for first, last in jail.ports for port in range(first, last + 1)} == ports
    assert jail.protocol == protocol
    assert rule.count == {"protocol" if name == "wireguard" else "auth"}


def test_manual(config):
    """Bans by command are on every port, and end by themselves."""
    jail = config.jails["manual"]
    assert (jail.ports, jail.watch, jail.rules, jail.bantime) == (None, (), (), 86400)


def test_no_event_is_read_twice(config):
    """Where one event stands in several files, a jail watches one of them."""
    never = {"/var/log/exim4/rejectlog", "/var/log/mail.info", "/var/log/mail.warn", "/var/log/mail.err"}
    beside_syslog = {"/var/log/mail.log", "/var/log/auth.log", "/var/log/daemon.log", "/var/log/kern.log"}
    for jail in config.jails.values():
        watched = {path for watch in jail.watch for path in watch.logs}
        assert not watched & never, jail.name
        assert "/var/log/syslog" not in watched or not watched & beside_syslog, jail.name


def test_ports_are_numbers():
    """A system without /etc/services can use them."""
    for path in (shipped_dir() / "jails").glob("*.yaml"):
        for line in path.read_text().splitlines():
            if line.strip().startswith("ports:") and "all" not in line:
                assert set(line.partition("#")[0].partition(":")[2]) <= set(" [],0123456789-")


def test_mail(tmp_path):
    """The jail of all mail services is off; on, it watches what the single ones watch, which are gone, by limits of its own."""
    (tmp_path / "jails.d").mkdir()
    single = load_config(tmp_path).jails
    (tmp_path / "jails.d/mail.yaml").write_text("mail: {enabled: auto}\n")
    config = load_config(tmp_path)
    mail = config.jails["mail"]
    assert config.problems == ()
    assert single.keys() - config.jails.keys() == {"exim4", "dovecot", "stalwart", "cyrus-imap"}
    assert mail.watch == tuple(single[name].watch[0] for name in ("exim4", "dovecot", "stalwart", "cyrus-imap"))
    assert {(rule.name, *rule.count, rule.by, *rule.limit) for rule in mail.rules} == {
        ("ip", "auth", "ip", 100, 86400),
        ("login", "auth", "login", 100, 86400),
        ("rcpt", "rcpt", "ip", 35, 86400),
        ("loiter", "loiter", "ip", 150, 86400),
    }
    assert not any(rule.by == "login" for name, jail in config.jails.items() if name != "mail" for rule in jail.rules)
    assert mail.rules[1].exempt == {"root", "toor", "administrator"}
