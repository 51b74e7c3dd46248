"""What shows only when the configuration is tried: examples, and ports that nobody serves."""

import socket

import pytest

from banwatch.config.check import check_config, read_listening, warn_unserved_ports
from banwatch.config.load import load_config
from banwatch.config.problem import render_problem

NOW = 1795000000.0
NOTHING = frozenset()


@pytest.fixture
def tried(directories):
    """What check says about the filter whose examples are these, its three regexes having one each already."""

    def check(*examples):
        text = (directories.shipped / "filters/svc.yaml").read_text()
        directories.write("filters.d/svc.yaml", "\n" * 10 + text + "".join(f"  - {example}\n" for example in examples))
        config = directories.load()
        assert config.problems == ()
        return [render_problem(problem) for problem in check_config(config, NOW, NOTHING)]

    return check


def test_right_examples(tried):
    """What gives what it should is no news; near misses are right if they do not match."""
    assert tried("{log: welcome nobody, why: no address}") == []


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("{log: 'failed x from 192.0.2.7'}", 'expected no match, got "auth by failregex.auth[0]"'),
        ("{log: 'failed x', auth: {}}", 'expected auth, got "no match"'),
        ("{log: 'welcome x from 192.0.2.7', auth: {}}", 'expected auth, got "success by successregex[0]"'),
        (
            "{log: 'failed x from 192.0.2.7', auth: {ip: 192.0.2.8, login: x}}",
            'expected ip 192.0.2.8, got "ip 192.0.2.7"',
        ),
        ("{log: 'failed x from 192.0.2.7', auth: {ip: 192.0.2.7}}", 'expected no login, got "login x"'),
        ("{log: 'failed x from 192.0.2.7', auth: {ip: 192.0.2.7, login: y}}", 'expected login y, got "login x"'),
        ("{log: 'scan from 192.0.2.7', scan: {ip: 192.0.2.7, count: 2}}", 'expected count 2, got "count 1"'),
        ("{log: 'scan from 192.0.2.7', scan: {ip: 192.0.2.7, hint: true}}", 'expected hint true, got "hint false"'),
        ("{log: 'scan from 192.0.2.7', scan: {ip: 192.0.2.7, session: a}}", 'expected session a, got "no session"'),
        ("{log: 'scan from 192.0.2.7', scan: {ip: 192.0.2.7, port: 4}}", 'expected port 4, got "no port"'),
    ],
)
def test_wrong_examples(tried, example, said):
    """What differs is told at the example's line."""
    assert tried(example) == [f"filters.d/svc.yaml:24: examples[3]: {said}"]


def test_everything_that_differs(tried):
    """One difference hides no other."""
    assert tried("{log: 'failed x from 192.0.2.7', auth: {ip: 192.0.2.8, count: 3}}") == [
        'filters.d/svc.yaml:24: examples[3]: expected count 3, got "count 1"',
        'filters.d/svc.yaml:24: examples[3]: expected ip 192.0.2.8, got "ip 192.0.2.7"',
        'filters.d/svc.yaml:24: examples[3]: expected no login, got "login x"',
    ]


def test_regexes_without_an_example(directories):
    """Each regex that no example matches is a warning at its own line, whatever list it is in."""
    directories.write(
        "filters.d/own.yaml",
        "header: none\nfailregex:\n  auth:\n  - '^a <HOST>$'\n  - '^b <HOST>$'\nhintregex: {auth: ['^c <HOST>$']}\n"
        "successregex: ['^d <HOST>$']\nexamples:\n- {log: a 192.0.2.7, auth: {ip: 192.0.2.7}}\n",
    )
    assert [render_problem(problem) for problem in check_config(directories.load(), NOW, NOTHING)] == [
        "filters.d/own.yaml:5: warning: failregex.auth[1]: no example matches this regex",
        "filters.d/own.yaml:6: warning: hintregex.auth[0]: no example matches this regex",
        "filters.d/own.yaml:7: warning: successregex[0]: no example matches this regex",
    ]


SERVED = "served: {enabled: true, ports: [22, 80-90]}\n"


@pytest.mark.parametrize(
    ("jail", "listening", "warned"),
    [
        ("{enabled: true, ports: [22, 80-90]}", [], True),
        ("{enabled: true, ports: [22, 80-90]}", [("tcp", 22)], False),
        ("{enabled: true, ports: [22, 80-90]}", [("tcp", 85)], False),
        ("{enabled: true, ports: [22, 80-90]}", [("tcp", 79), ("udp", 22)], True),
        ("{enabled: true, ports: [22, 80-90], protocol: [udp, tcp]}", [("udp", 22)], False),
        ("{enabled: true, ports: [22], enforce: false}", [], False),
        ("{enabled: true, ports: all}", [], False),
        ("{enabled: auto, ports: [22]}", [], False),
        ("{ports: [22], watch: {svc: {logs: [/nowhere/x]}}}", [], False),
        ("{ports: [22], watch: {svc: {logs: [/nowhere/x, HERE/*.log]}}}", [], True),
        ("{ports: [22], watch: {svc: {logs: [HERE/x.log]}}}", [], True),
    ],
)
def test_unserved_ports(directories, jail, listening, warned):
    """A jail warns if none of its ports is served, and if it would ban at all."""
    (directories.etc / "x.log").touch()
    directories.write("jails.d/x.yaml", f"j: {jail.replace('HERE', str(directories.etc))}\n")
    problems = warn_unserved_ports(directories.load(), frozenset(listening))
    assert [problem.jail for problem in problems] == ["j"] * warned


def test_unserved_ports_as_told(directories):
    """The warning stands where the ports do, and names them."""
    directories.write("jails.d/x.yaml", "j:\n  enabled: true\n  ports: [80-90, 22]\n")
    (problem,) = warn_unserved_ports(directories.load(), NOTHING)
    assert render_problem(problem) == (
        "jails.d/x.yaml:3: warning: j.ports: nothing listens on tcp 22, 80-90: bans would close no door"
    )


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0
   1: 0100007F:8AE0 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        0 12346 1 0000000000000000 100 0 0 10 0
"""
UDP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid
   7: 00000000000000000000000000000000:CA6C 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0
   8: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0007 01 00000000:00000000 00:00000000 00000000     0
"""


def test_tables(tmp_path):
    """Listening tcp and unconnected udp sockets of both families are served ports; a table that is not there has none."""
    (tmp_path / "tcp").write_text(TCP)
    (tmp_path / "udp6").write_text(UDP6)
    assert read_listening(tmp_path) == {("tcp", 22), ("udp", 51820)}


def test_this_host(directories):
    """A socket that listens here is found."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.bind(("::", 0))
        tcp_port, udp_port = server.getsockname()[1], udp.getsockname()[1]
        assert {("tcp", tcp_port), ("udp", udp_port)} <= read_listening()
        directories.write("jails.d/x.yaml", f"j: {{enabled: true, ports: [{tcp_port}]}}")
        assert warn_unserved_ports(directories.load()) == []


def test_nobody_to_ask_for(directories):
    """Without a jail that could ban the system is not even asked."""
    assert warn_unserved_ports(load_config(directories.etc, directories.shipped)) == []
