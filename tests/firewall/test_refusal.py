"""firewall/refusal.py: the kernel's numbers in words."""

import errno

import pytest

from banwatch.firewall.refusal import advise, explain, refusal


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
