"""host/connections.py: who is connected to this host."""

import socket

import pytest

from banwatch.host.connections import local_ports_of


@pytest.mark.parametrize(("family", "address", "who"), [
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
    (socket.AF_INET, "127.0.0.1", "127.0.0.0/8"),
    (socket.AF_INET6, "::1", "::1"),
])  # fmt: skip
def test_a_connection_is_seen_as_long_as_it_lasts(family, address, who):
    """By address and by network; who only listens is connected to nobody."""
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        assert port not in local_ports_of(who)
        with socket.create_connection((address, port)) as client:
            accepted, _ = server.accept()
            with accepted:
                assert {port, client.getsockname()[1]} <= local_ports_of(who)
                assert port not in local_ports_of("192.0.2.7")
                assert port not in local_ports_of("2001:db8::/32")


def test_an_ipv4_client_of_a_socket_for_both(tmp_path):
    """A listener on :: has IPv4 clients as ::ffff:a.b.c.d, which are IPv4 all the same; a missing table is an empty one."""
    head = "  sl  local_address                         remote_address                        st\n"
    row = "   0: 0000000000000000FFFF00000A0200C0:0016 0000000000000000FFFF0000076433C6:A0B1 01 rest\n"
    (tmp_path / "tcp6").write_text(head + row)
    assert local_ports_of("198.51.100.7", tmp_path) == {22}
    assert local_ports_of("198.51.100.8", tmp_path) == frozenset()
