"""firewall/plan.py: which sets there have to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.errors import FirewallError
from banwatch.firewall.plan import Plan, plan_sets, set_name
from banwatch.firewall.wire import Header


def header(name, family=4, type_="hash:net", timeout=True):
    return Header(name, type_, family, timeout)


def headers(*found):
    return {one.name: one for one in found}


ALLOW = {("allow", 4): "banwatch-allow-4", ("allow", 6): "banwatch-allow-6"}


@pytest.mark.parametrize(
    ("jail", "name"),
    [
        ("sshd", "banwatch-sshd-4"),
        ("a" * 20, f"banwatch-{'a' * 20}-4"),
        ("a" * 21, "banwatch-aaaaaaaaaaa-950ffd0f-4"),
        ("a b", "banwatch-a_b-278fc8c1-4"),
        ("", "banwatch--36e9d246-4"),
    ],
)
def test_set_name(jail, name):
    """A jail's name is in that of its set, whole if it fits and iptables could read it."""
    assert set_name(jail, 4) == name


@given(st.text())
def test_any_jail_has_a_name_that_fits(jail):
    """Whatever a jail is called, its sets have names of at most 31 plain characters."""
    for family in (4, 6):
        name = set_name(jail, family)
        assert len(name.encode()) <= 31
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@given(st.text(), st.text())
def test_two_jails_have_two_sets(one, other):
    """Names that differ only where they are cut still differ."""
    assert (set_name(one, 4) == set_name(other, 4)) == (one == other)


def test_first_start(say):
    """Two sets for each jail that enforces, two for the allowed, and none for one that only looks on."""
    plan = plan_sets([say.jail("sshd"), say.jail("wireguard", enforce=False)], (4, 6), {})
    assert plan.sets == {**ALLOW, ("sshd", 4): "banwatch-sshd-4", ("sshd", 6): "banwatch-sshd-6"}
    assert plan.create == (("banwatch-allow-4", 4), ("banwatch-sshd-4", 4), ("banwatch-allow-6", 6), ("banwatch-sshd-6", 6))
    assert plan.stale == ()


def test_restart(say):
    """What is there is kept; what no jail uses goes, unless it only looks like one of ours."""
    existing = headers(
        header("banwatch-allow-4"),
        header("banwatch-sshd-4"),
        header("banwatch-old-4"),
        header("banwatch-old-6", 6),
        header("banwatch-mine", 6),
        header("banwatch-list-4", 0, "list:set"),
        header("f2b-sshd"),
    )
    assert plan_sets([say.jail("sshd")], (4,), existing) == Plan(
        sets={("allow", 4): "banwatch-allow-4", ("sshd", 4): "banwatch-sshd-4"},
        create=(),
        stale=("banwatch-old-4", "banwatch-old-6"),
    )


def test_a_set_of_somebody_else(say):
    """`set:` is used for its own family, and the other one has a set of our own."""
    plan = plan_sets([say.jail(set="bad-hosts")], (4, 6), headers(header("bad-hosts")))
    assert plan.sets == {**ALLOW, ("sshd", 4): "bad-hosts", ("sshd", 6): "banwatch-sshd-6"}
    assert ("bad-hosts", 4) not in plan.create


def test_a_pair_of_sets_of_somebody_else(say):
    """`set:` is the stem of two sets as well."""
    plan = plan_sets([say.jail(set="bad")], (4, 6), headers(header("bad-4"), header("bad-6", 6)))
    assert plan.sets == {**ALLOW, ("sshd", 4): "bad-4", ("sshd", 6): "bad-6"}


@pytest.mark.parametrize(
    ("existing", "message"),
    [
        (header("banwatch-sshd-4", 4, "hash:ip"), "set 'banwatch-sshd-4' is of type hash:ip, not hash:net"),
        (header("banwatch-sshd-4", 6), "set 'banwatch-sshd-4' is for IPv6, not IPv4"),
        (
            header("banwatch-sshd-4", timeout=False),
            "set 'banwatch-sshd-4' was made without `timeout`, so that no ban in it would end",
        ),
    ],
)
def test_a_set_that_cannot_be_used(say, existing, message):
    """A set that is not as it has to be is an error that says so, and how to get rid of it."""
    with pytest.raises(FirewallError) as caught:
        plan_sets([say.jail()], (4,), headers(existing))
    assert caught.value.message == message
    assert caught.value.hint == "destroy such a set (ipset destroy NAME), or name another by `set:`"


def test_all_problems_at_once(say):
    """A set that is not there, one of a wrong type, and a name that is taken are told together."""
    jails = [say.jail("a", set="nope"), say.jail("b", set="ports"), say.jail("allow"), say.jail("c", set="no", enforce=False)]
    with pytest.raises(FirewallError) as caught:
        plan_sets(jails, (4,), headers(header("ports", 0, "bitmap:port")))
    assert caught.value.message == (
        "jail a: there is no set 'nope' (ipset create nope hash:net timeout 0 counters); "
        "no jail can be called allow: it is the name of the allowed addresses; "
        "set 'ports' is of type bitmap:port, not hash:net"
    )
