"""firewall/rules.py: the chain as it has to be, and the way there. iptables itself reads it in test_ipset.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.errors import FirewallError
from banwatch.firewall.rules import Listing, chain_rules, read_listing, render_setup, render_teardown, split_ports

SETS = {(jail, family): f"{jail}-{family}" for jail in ("allow", "sshd", "mail") for family in (4, 6)}
ALLOW = "-A banwatch -m set --match-set allow-4 src -j RETURN"
LO = "-A banwatch -i lo -j RETURN"
POLICIES = "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"


def of_jail(jail, family=4):
    """The rules for one jail, without what stands before them."""
    rules = chain_rules([jail], SETS, family)
    assert rules[:2] == (LO, ALLOW.replace("allow-4", f"allow-{family}"))
    return list(rules[2:])


def test_no_jails():
    """lo and the allowed come first, and go back to where they came from, never further."""
    assert chain_rules([], SETS, 4) == (LO, ALLOW)


def test_one_port(say):
    """A jail has one rule for its port, and only what is in its set is dropped."""
    assert of_jail(say.jail()) == ["-A banwatch -p tcp -m multiport --dports 22 -m set --match-set sshd-4 src -j DROP"]


def test_every_port(say):
    """`all` is every tcp and udp port, whatever `protocol` says, and never ICMPv6."""
    assert of_jail(say.jail(ports=None), 6) == [
        "-A banwatch -p tcp -m set --match-set sshd-6 src -j DROP",
        "-A banwatch -p udp -m set --match-set sshd-6 src -j DROP",
    ]


@pytest.mark.parametrize(("family", "with_"), [(4, "icmp-port-unreachable"), (6, "icmp6-port-unreachable")])
def test_reject(say, family, with_):
    """A rejected connection is reset, a rejected datagram answered like one to a port without a listener."""
    assert of_jail(say.jail(action="reject", protocol=("tcp", "udp")), family) == [
        f"-A banwatch -p tcp -m multiport --dports 22 -m set --match-set sshd-{family} src -j REJECT --reject-with tcp-reset",
        f"-A banwatch -p udp -m multiport --dports 22 -m set --match-set sshd-{family} src -j REJECT --reject-with {with_}",
    ]


def test_interface(say):
    """Only packets that come in there."""
    assert of_jail(say.jail(interface="eth+", ports=None, protocol=("tcp",)))[0] == (
        "-A banwatch -i eth+ -p tcp -m set --match-set sshd-4 src -j DROP"
    )


def test_a_jail_that_only_looks_on(say):
    """`enforce: false` has no rule."""
    assert of_jail(say.jail(enforce=False)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interface": "eth0 -j ACCEPT"}, "jail sshd: interface 'eth0 -j ACCEPT' is no name that iptables could take"),
        ({"interface": "-j"}, "jail sshd: interface '-j' is no name that iptables could take"),
        ({"interface": "a" * 17}, f"jail sshd: interface '{'a' * 17}' is no name that iptables could take"),
        ({"interface": "eth0\n"}, "jail sshd: interface 'eth0\\n' is no name that iptables could take"),
        ({"protocol": ("icmp",)}, "jail sshd: protocol 'icmp' has no ports"),
    ],
)
def test_names_are_names(say, change, message):
    """What the configuration says cannot become another word of a rule."""
    with pytest.raises(FirewallError) as caught:
        of_jail(say.jail(**change))
    assert caught.value.message == message


def test_set_names_are_names(say):
    """Nor can the name of a set that somebody else made."""
    with pytest.raises(FirewallError, match="set 'my set' is no name that iptables could take"):
        chain_rules([say.jail()], {**SETS, ("sshd", 4): "my set"}, 4)


@pytest.mark.parametrize(
    ("ports", "texts"),
    [
        ([], []),
        ([(22, 22)], ["22"]),
        ([(1000, 2000), (22, 22)], ["1000:2000,22"]),
        ([(n, n) for n in range(1, 16)], ["1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"]),
        ([(n, n) for n in range(1, 17)], ["1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "16"]),
        ([(n, n) for n in range(1, 15)] + [(100, 200)], ["1,2,3,4,5,6,7,8,9,10,11,12,13,14", "100:200"]),
    ],
)
def test_split_ports(ports, texts):
    """15 fit into one match, and a range takes two places."""
    assert list(split_ports(ports)) == texts


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted).map(tuple)))
def test_splitting_loses_no_port(ports):
    """All ranges are there, in order, and no text has more than 15 places."""
    texts = list(split_ports(ports))
    back = [text.split(":") for line in texts for text in line.split(",")]
    assert [(int(words[0]), int(words[-1])) for words in back] == ports
    assert all(line.count(",") + line.count(":") + 1 <= 15 for line in texts)


def test_nothing_there():
    """On a host that never had us, the chain is made and entered first."""
    listing = read_listing(POLICIES + "-A INPUT -j ACCEPT\n")
    assert listing == Listing(None, (), entered=False)
    assert render_setup(listing, (LO, ALLOW)) == f"*filter\n:banwatch - [0:0]\n-I INPUT 1 -j banwatch\n{LO}\n{ALLOW}\nCOMMIT\n"
    assert render_teardown(listing) is None


def test_all_there():
    """What is right already is not touched."""
    listing = read_listing(f"{POLICIES}-N banwatch\n-A INPUT -j banwatch\n-A INPUT -j ACCEPT\n{LO}\n{ALLOW}\n")
    assert listing == Listing((LO, ALLOW), ("-A INPUT -j banwatch",), entered=True)
    assert render_setup(listing, (LO, ALLOW)) is None


def test_other_rules():
    """A chain that differs is emptied and filled in one transaction; the jump stays where it is."""
    listing = read_listing(f"{POLICIES}-N banwatch\n-A INPUT -j banwatch\n{LO}\n")
    assert render_setup(listing, (LO, ALLOW)) == f"*filter\n:banwatch - [0:0]\n{LO}\n{ALLOW}\nCOMMIT\n"


@pytest.mark.parametrize(
    "before",
    [
        "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A INPUT -j NFQUEUE --queue-num 0",
        "-A INPUT -j other\n-A other -j third\n-A third -s 192.0.2.1/32 -j ACCEPT",
        "-A INPUT -g other\n-A other -g INPUT\n-A other -j ACCEPT",
        "-A INPUT -s 192.0.2.0/24 -j RETURN",
        "-A INPUT -s 192.0.2.0/24 -g other",
    ],
)
def test_a_jump_that_comes_too_late(before):
    """A rule that lets packets in before our jump makes bans useless, so the jump moves up."""
    listing = read_listing(f"{POLICIES}-N banwatch\n-N other\n-N third\n{before}\n-A INPUT -j banwatch\n{LO}\n{ALLOW}\n")
    assert not listing.entered
    assert render_setup(listing, (LO, ALLOW)) == "*filter\n-D INPUT -j banwatch\n-I INPUT 1 -j banwatch\nCOMMIT\n"


@pytest.mark.parametrize(
    "before",
    [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate INVALID -j DROP",
        '-A INPUT -j LOG --log-prefix "-j ACCEPT "',
        '-A INPUT -m comment --comment "say \\"x\\" -j ACCEPT" -j f2b-sshd\n-A f2b-sshd -j RETURN\n-A f2b-sshd -j DROP',
        "-A INPUT -s 192.0.2.1/32",
        "-A INPUT -i lo -j RETURN",
        '-A INPUT -m comment --comment "x -g y" -j f2b-sshd\n-A f2b-sshd -j RETURN',
    ],
)
def test_a_jump_that_comes_in_time(before):
    """What logs, drops or returns may stand before our jump: whoever moved it there has a reason."""
    listing = read_listing(f"{POLICIES}-N banwatch\n-N f2b-sshd\n{before}\n-A INPUT -j banwatch\n{LO}\n{ALLOW}\n")
    assert listing.entered


def test_two_jumps():
    """Of two jumps one is left."""
    listing = read_listing(f"{POLICIES}-N banwatch\n-A INPUT -j banwatch\n-A INPUT -j banwatch\n{LO}\n{ALLOW}\n")
    assert render_setup(listing, (LO, ALLOW)) == (
        "*filter\n-D INPUT -j banwatch\n-D INPUT -j banwatch\n-I INPUT 1 -j banwatch\nCOMMIT\n"
    )


def test_a_jump_of_somebody_else():
    """A jump that an operator made from elsewhere stays as long as the chain does, and goes with it."""
    text = f"{POLICIES}-N banwatch\n-A INPUT -j banwatch\n-A FORWARD -i eth0 -g banwatch\n{LO}\n"
    listing = read_listing(text)
    assert "FORWARD" not in str(render_setup(listing, (LO, ALLOW)))
    assert render_teardown(listing) == (
        "*filter\n-D INPUT -j banwatch\n-D FORWARD -i eth0 -g banwatch\n-F banwatch\n-X banwatch\nCOMMIT\n"
    )


def test_an_empty_chain():
    """A chain without rules is there, and goes."""
    assert render_teardown(read_listing("-P INPUT ACCEPT\n-N banwatch\n")) == "*filter\n-F banwatch\n-X banwatch\nCOMMIT\n"
