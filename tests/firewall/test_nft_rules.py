"""firewall/nft_rules.py: the table as it has to be, and the way there. nft itself reads it in test_nftables.py."""

import pytest

from banwatch.config.model import Limit, Rule
from banwatch.errors import FirewallError
from banwatch.firewall.nft_rules import (
    HOOKS,
    Layout,
    Standing,
    digest,
    find_astray,
    has_set,
    lengths_for,
    plan_layout,
    render_setup,
    stale,
)
from banwatch.firewall.nft_wire import Chain, SetHeader

ALLOWED = (
    'iifname "lo" return',
    "ip saddr @banwatch-allow-4-32 return",
    "ip6 saddr @banwatch-allow-6-128 return",
    "ip6 saddr & ffff:ffff:ffff:ffff:: @banwatch-allow-6-64 return",
)


def net_rule(*prefix, by="net", ban=("key",)):
    return Rule("net", frozenset({"auth"}), by, Limit(3, 60.0), 60.0, prefix, ban)


def lay(*jails, sets=()):
    """The layout where these sets are there already."""
    existing = {name: SetHeader(name, 6 if "-6-" in name else 4, timeout=True, counters=True) for name in sets}
    return plan_layout(jails, lengths_for(jails, existing), existing)


def standing(layout, **changes):
    """What the kernel has once the layout is laid."""
    return Standing(
        {name: SetHeader(name, family, timeout=True, counters=True) for name, family in layout.sets.items()},
        {name: Chain(name, HOOKS.get(name)) for name in layout.chains},
        {name: tuple(digest(rule) for rule in rules) for name, rules in layout.chains.items()},
    )._replace(**changes)


def test_no_jails():
    """lo and the allowed come first, and end nothing but this table's say."""
    layout = lay()
    assert layout.chains == {"input": ALLOWED}
    assert layout.sets == {"banwatch-allow-4-32": 4, "banwatch-allow-6-64": 6, "banwatch-allow-6-128": 6}


def test_one_port(say):
    """A jail has one rule for its port, and a chain that looks into its sets."""
    layout = lay(say.jail())
    assert layout.chains == {
        "banwatch-sshd": (
            "ip saddr @banwatch-sshd-4-32 drop",
            "ip6 saddr & ffff:ffff:ffff:ffff:: @banwatch-sshd-6-64 drop",
        ),
        "input": (*ALLOWED, "meta l4proto { tcp } th dport { 22 } jump banwatch-sshd"),
    }


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"ports": None, "protocol": ("tcp",)}, "meta l4proto { tcp, udp }"),
        ({"ports": ((20, 25), (22, 23), (80, 80)), "protocol": ("udp",)}, "meta l4proto { udp } th dport { 20-25, 80 }"),
        ({"interface": "eth0"}, 'iifname "eth0" meta l4proto { tcp } th dport { 22 }'),
        ({"interface": "eth+"}, 'iifname "eth*" meta l4proto { tcp } th dport { 22 }'),
    ],
)
def test_where_a_jail_looks(say, change, rule):
    """`all` is every tcp and udp port and never ICMPv6; ports that overlap are joined; an interface is one, or begins so."""
    assert lay(say.jail(**change)).chains["input"][-1] == f"{rule} jump banwatch-sshd"


def test_reject(say):
    """A rejected connection is reset, a rejected datagram answered like one to a port without a listener."""
    chains = lay(say.jail(action="reject")).chains
    assert list(chains) == ["refuse", "banwatch-sshd", "input"]
    assert chains["refuse"] == ("meta l4proto tcp reject with tcp reset", "reject with icmpx type port-unreachable")
    assert chains["banwatch-sshd"][0] == "ip saddr @banwatch-sshd-4-32 goto refuse"


def test_a_jail_that_only_looks_on(say):
    """`enforce: false` has neither a rule nor a set, and may name a set that is not to be had."""
    assert lay(say.jail(enforce=False, set="x")) == lay()


def test_lengths(say):
    """There is a set for each length of which the rules can ban, and for those that were there; the longest comes first."""
    jail = say.jail(rules=(net_rule(20, 40), net_rule(16, 32, by="ip", ban=("key", "net")), net_rule(9, 9, by="ip")))
    layout = lay(jail, sets=["banwatch-sshd-4-31", "banwatch-sshd-6-7", "banwatch-sshd-4-33", "banwatch-sshdx-4-5", "other"])
    assert layout.chains["banwatch-sshd"] == (
        "ip saddr @banwatch-sshd-4-32 drop",
        "ip saddr & 255.255.255.254 @banwatch-sshd-4-31 drop",
        "ip saddr & 255.255.240.0 @banwatch-sshd-4-20 drop",
        "ip saddr & 255.255.0.0 @banwatch-sshd-4-16 drop",
        "ip6 saddr & ffff:ffff:ffff:ffff:: @banwatch-sshd-6-64 drop",
        "ip6 saddr & ffff:ffff:ff00:: @banwatch-sshd-6-40 drop",
        "ip6 saddr & ffff:ffff:: @banwatch-sshd-6-32 drop",
        "ip6 saddr & fe00:: @banwatch-sshd-6-7 drop",
    )


def test_who_has_a_set():
    """A jail is known by its sets, whatever their length, and not by those of one whose name begins like its own."""
    assert has_set("sshd", ["banwatch-sshd-4-9"])
    assert has_set("sshd", ["x", "banwatch-sshd-6-128"])
    assert not has_set("sshd", ["banwatch-sshd-x-4-9", "banwatch-sshd-4", "banwatch-sshd-5-9", "sshd-4-9"])


@pytest.mark.parametrize(
    ("jail", "message"),
    [
        ({"name": "allow"}, "no jail can be called allow: it is the name of the allowed addresses"),
        ({"set": "bad"}, "jail sshd: `set: bad` names a set of ipset, and a table of nftables looks into its own sets only"),
        ({"interface": 'x"'}, "jail sshd: interface 'x\"' is no name that iptables could take"),
        ({"protocol": ("icmp",)}, "jail sshd: protocol 'icmp' has no ports"),
    ],
)
def test_what_cannot_be(say, jail, message):
    """It is told before anything is laid, and no text of the configuration becomes a word of a rule."""
    with pytest.raises(FirewallError) as caught:
        lay(say.jail(**jail))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ((6, True), "is not one of IPv4 addresses"),
        ((0, True), "is not one of IPv4 addresses"),
        ((4, False), "was made without timeouts, so that no ban in it would end"),
    ],
)
def test_a_set_that_cannot_be_used(say, header, message):
    """A set of our name that is not as ours are is told, with what takes it away."""
    family, timeout = header
    existing = {"banwatch-sshd-4-32": SetHeader("banwatch-sshd-4-32", family, timeout, counters=True)}
    with pytest.raises(FirewallError) as caught:
        plan_layout([say.jail()], lengths_for([say.jail()], existing), existing)
    assert caught.value.message == f"set 'banwatch-sshd-4-32' of the table inet banwatch {message}"
    assert caught.value.hint == "a set that is wrong goes with its table: nft delete table inet banwatch"


def test_setup_from_nothing(say):
    """The table, its sets, the chains before those that lead to them, and the rules, each with what it is recognized by."""
    rule = "meta l4proto { tcp } th dport { 22 } jump banwatch-sshd"
    lines = render_setup(Standing(), lay(say.jail())).splitlines()
    assert lines[:2] == [
        "add table inet banwatch",
        "add set inet banwatch banwatch-allow-4-32 { type ipv4_addr; flags timeout; counter; }",
    ]
    assert lines[6:8] == [
        "add chain inet banwatch banwatch-sshd",
        "add chain inet banwatch input { type filter hook input priority -10; policy accept; }",
    ]
    assert lines[-1] == f'add rule inet banwatch input {rule} comment "{digest(rule)}"'
    assert len(lines) == 1 + 5 + 2 + 2 + 5


def test_what_is_right_is_not_touched(say):
    """A table that is as it has to be has nothing to be done, whoever else has put sets and chains into it."""
    layout = lay(say.jail(action="reject"))
    there = standing(layout)
    assert render_setup(there, layout) is None
    more = {**there.chains, "mine": Chain("mine")}
    assert render_setup(there._replace(chains=more, rules={**there.rules, "mine": ("",)}), layout) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda there: {"chains": {name: chain for name, chain in there.chains.items() if name != "input"}},
        lambda there: {"rules": {}},
        lambda there: {"rules": {**there.rules, "input": there.rules["input"][1:]}},
        lambda there: {"rules": {**there.rules, "input": ("", *there.rules["input"])}},
        lambda there: {"rules": {**there.rules, "input": there.rules["input"][::-1]}},
        lambda there: {"sets": dict(list(there.sets.items())[1:])},
        lambda there: {"dormant": True},
    ],
)
def test_damage_is_mended(say, damage):
    """A rule, a chain or a set that is missing, is elsewhere or is too many has the rules laid anew; members stay."""
    layout = lay(say.jail())
    there = standing(layout)
    lines = render_setup(there._replace(**damage(there)), layout).splitlines()
    assert "flush chain inet banwatch banwatch-sshd" in lines
    assert len([line for line in lines if line.startswith("add rule")]) == 7
    assert not [line for line in lines if "delete" in line or "flush set" in line or "flush table" in line]


def test_what_is_astray(say):
    """Rules that differ are told from rules that are right and are not come to; where nothing is laid nothing is."""
    layout = lay(say.jail())
    there = standing(layout)
    assert find_astray(there, layout) is None
    assert find_astray(there, Layout({}, {})) is None
    assert find_astray(there._replace(rules={**there.rules, "banwatch-sshd": ()}), layout) == "rules"
    assert find_astray(Standing(), layout) == "rules"
    assert find_astray(there._replace(dormant=True), layout) == "order"
    elsewhere = {**there.chains, "input": Chain("input", ("filter", 1, 5, 1))}
    assert find_astray(there._replace(chains=elsewhere), layout) == "order"


def test_a_chain_of_another_hook(say):
    """A hook cannot be changed, so that such a chain is made anew, after all rules that may lead to it are gone."""
    layout = lay(say.jail())
    there = standing(layout)
    chains = {
        **there.chains,
        "input": Chain("input", ("filter", 2, 0, 1)),
        "banwatch-sshd": Chain("banwatch-sshd", HOOKS["input"]),
    }
    lines = render_setup(there._replace(chains=chains), layout).splitlines()
    assert lines[1:5] == [
        "flush chain inet banwatch banwatch-sshd",
        "flush chain inet banwatch input",
        "delete chain inet banwatch banwatch-sshd",
        "delete chain inet banwatch input",
    ]


def test_stale(say):
    """What we made and need no more goes; what somebody else has put into the table stays, and so do anonymous sets."""
    there = standing(lay(say.jail(action="reject"), say.jail("mail")))
    extra = {name: SetHeader(name, 4, timeout=True, counters=True) for name in ("__set0", "mine", "banwatch-mail-4-7")}
    there = there._replace(sets={**there.sets, **extra}, chains={**there.chains, "mine": Chain("mine")})
    assert stale(there, lay(say.jail("sshd"))) == (
        ["refuse", "banwatch-mail"],
        ["banwatch-mail-4-32", "banwatch-mail-6-64", "banwatch-mail-4-7"],
    )
