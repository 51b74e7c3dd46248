"""What another implementation of ipset's protocol says about our sets, and we about its entries."""

import json
import sys

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.oracle]

LIST = """
import json
from pyroute2 import IPSet

found = []
with IPSet() as sets:
    for reply in sets.list():
        for entry in reply.get_attr("IPSET_ATTR_ADT").get_attrs("IPSET_ATTR_DATA"):
            host = entry.get_attr("IPSET_ATTR_IP_FROM")
            address = host.get_attr("IPSET_ATTR_IPADDR_IPV4") or host.get_attr("IPSET_ATTR_IPADDR_IPV6")
            found.append([reply.get_attr("IPSET_ATTR_SETNAME"), reply.get_attr("IPSET_ATTR_TYPENAME"), address,
                          entry.get_attr("IPSET_ATTR_CIDR"), entry.get_attr("IPSET_ATTR_TIMEOUT")])
print(json.dumps(sorted(found)))
"""
ADD = """
from pyroute2 import IPSet

with IPSet() as sets:
    sets.add("banwatch-sshd-4", "192.0.2.9", etype="net", timeout=300)
"""


async def test_pyroute2_reads_what_we_wrote(firewall, say):
    """Sets, addresses, prefixes and timeouts, 0 being for ever."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7", 600), say.ban("198.51.100.0/24", None), say.ban("2001:db8::/64", 600)], say.now)
    found = json.loads(say.run(sys.executable, "-W", "ignore", "-c", LIST))
    assert [(*entry[:4], min(entry[4], 1)) for entry in found] == [
        ("banwatch-sshd-4", "hash:net", "192.0.2.7", 32, 1),
        ("banwatch-sshd-4", "hash:net", "198.51.100.0", 24, 0),
        ("banwatch-sshd-6", "hash:net", "2001:db8::", 64, 1),
    ]


async def test_we_read_what_pyroute2_wrote(firewall, say):
    """An entry that somebody else's program put into our set is an entry like any other."""
    await firewall.setup([say.jail()])
    say.run(sys.executable, "-W", "ignore", "-c", ADD)
    [(key, left)] = (await say.banned(firewall)).items()
    assert key == say.key("192.0.2.9")
    assert 290 <= left <= 300
