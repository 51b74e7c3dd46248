"""firewall/refusal.py: the kernel's numbers in words."""

import errno

import pytest

from banwatch.firewall.refusal import NFTABLES, advise, explain, refusal, refuse_some
from banwatch.model import Target


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4352, "the set is full"),
        (4104, "a network of that size cannot be in a set"),
        (errno.ENOENT, "the set is gone"),
        (errno.EIO, "Input/output error (errno 5)"),
        (4200, "Unknown error 4200 (errno 4200)"),
        (None, "the kernel did not answer"),
    ],
)
def test_explain(number, text):
    """Known numbers have our words, others those of the C library."""
    assert explain(number) == text


def test_advise():
    """What helps is said where there is such."""
    assert advise(4098) == "modprobe ip_set_hash_net; on a small kernel install the package with its modules"
    assert advise(errno.EIO) == ""
    assert advise(None) == ""


def test_refusal():
    """What was being done, why it failed, and what helps; exit code 69."""
    error = refusal("creating the set x", PermissionError(errno.EPERM, "no"))
    assert error.message == "creating the set x: no right to speak to ip_set (CAP_NET_ADMIN is missing)"
    assert error.hint.startswith("run it as root")
    assert (error.errno, error.code) == (errno.EPERM, 69)


def test_silence():
    """No answer is no errno."""
    error = refusal("listing the set x", TimeoutError())
    assert (error.message, error.hint, error.errno) == ("listing the set x: the kernel did not answer", "", None)


def test_nftables():
    """Where nf_tables and ip_set mean different things by a number, each has its own words."""
    assert explain(errno.EINVAL) == "the kernel has no ip_set"
    assert explain(errno.EINVAL, NFTABLES) == "the kernel has no nf_tables"
    assert explain(errno.ENOENT, NFTABLES) == explain(errno.ENOENT) == "the set is gone"
    assert advise(errno.EBUSY, NFTABLES) == "a rule refers to it; nft list table inet banwatch"
    error = refusal("nftables cannot be used", OSError(errno.EPROTONOSUPPORT, "no"), NFTABLES)
    assert error.message == "nftables cannot be used: the kernel has no nfnetlink, so no nf_tables either"
    assert error.hint.startswith("modprobe nf_tables")


def test_some_of_many():
    """The first is told with its reason, and how many more there are; a hint belongs to the reason that is told."""
    first, second = ("sshd", Target("net", "192.0.2.7")), ("mail", Target("net", "192.0.2.8"))
    error = refuse_some("banned", {first: "the set is gone"}, errno.ENOENT)
    assert error.message == "not banned: 192.0.2.7 in sshd (the set is gone)"
    assert (error.hint, error.errno) == ("something has destroyed it; it is laid again within 5 s", errno.ENOENT)
    error = refuse_some("unbanned", {second: "no set", first: "the set is gone"}, errno.ENOENT)
    assert error.message == "not unbanned: 192.0.2.8 in mail (no set), and 1 more"
    assert (error.hint, error.failed) == ("", {second: "no set", first: "the set is gone"})
