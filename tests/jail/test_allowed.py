"""jail/allowed.py: who was allowed by command, as the table changes."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from banwatch.jail.allowed import Allowed
from banwatch.model import Target

# Few bits differ, so that networks often nest.
networks = st.builds(
    lambda value, length: str(ip_network((value >> (32 - length) << (32 - length), length))).removesuffix("/32"),
    st.sampled_from(range(0xC0000200, 0xC0000220)),
    st.integers(5, 32),
)


@given(st.lists(st.tuples(st.booleans(), networks), max_size=12), networks)
def test_it_holds_what_was_added_and_not_taken_out(steps, asked):
    """Whatever was added and discarded, in whatever order, the answers are those of a set of networks."""
    allowed, model = Allowed(), set()
    for adds, who in steps:
        (allowed.add if adds else allowed.discard)(Target("net", who))
        (model.add if adds else model.discard)(who)
    network = ip_network(asked)
    assert allowed.covers(Target("net", asked)) == any(network.subnet_of(ip_network(who)) for who in model)
    inside = allowed.within(asked)
    assert inside in {None, *(f"allowed {who}" for who in model)}
    assert (inside is not None) == any(ip_network(who).subnet_of(network) for who in model)
    assert set(allowed.heads) == {
        str(byte) for who in model for byte in range(int(ip_network(who)[0]) >> 24, (int(ip_network(who)[-1]) >> 24) + 1)
    }


def test_families_and_logins_are_apart():
    """An address, its IPv6 look-alike and a login of the same name have nothing to do with each other."""
    allowed = Allowed()
    allowed.add(Target("login", "192.0.2.7"))
    assert not allowed.covers(Target("net", "192.0.2.7"))
    allowed.add(Target("net", "2001:db8::/32"))
    assert allowed.covers(Target("net", "2001:db8:1::7"))
    assert not allowed.covers(Target("net", "2001:db9::1"))
    allowed.discard(Target("login", "192.0.2.7"))
    allowed.discard(Target("login", "192.0.2.7"))
    assert not allowed.covers(Target("login", "192.0.2.7"))
