import pytest

from banwatch.filter.failregex import PatternError, compile_pattern, expand_tags


def captures(regex, text):
    found = compile_pattern(regex, "auth", 0, False).regex.search(text)
    return found and {name: value for name, value in found.groupdict().items() if value is not None}


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("from 192.0.2.7 port", "192.0.2.7"),
        ("from [192.0.2.7] port", "192.0.2.7"),
        ("from 2001:db8::7 port", "2001:db8::7"),
        ("from [2001:db8::7] port", "2001:db8::7"),
        ("from ::ffff:192.0.2.7 port", "::ffff:192.0.2.7"),
        ("from fe80::1%eth0 port", "fe80::1%eth0"),
    ],
)
def test_host(text, ip):
    """<HOST> takes an address in any form, without its brackets."""
    assert captures("from <HOST> port", text) == {"ip": ip}


@pytest.mark.parametrize("text", ["from mail.example.org port", "from  port", "from x192 port"])
def test_host_takes_no_names(text):
    """Names are not resolved, so they name nobody."""
    assert captures("from <HOST> port", text) is None


@pytest.mark.parametrize(
    ("text", "ip"), [("from 192.0.2.7.", "192.0.2.7"), ("from 192.0.2.7:22", "192.0.2.7"), ("from 192.0.2.1234", "192.0.2.1234")]
)
def test_an_address_is_not_cut_short(text, ip):
    """
    An unanchored <HOST> ends where the number does, and punctuation behind it is not the address's. What is no address is
    captured whole, so that it is found to be none.
    """
    assert captures("from <HOST>", text) == {"ip": ip}


def test_tags():
    """Tags with names capture, ours too; the other ones are fail2ban's."""
    assert captures("<F-USER>.*</F-USER> <IP4>, <F-COUNT>\\d+</F-COUNT>", "x y 192.0.2.7, 3") == {
        "user": "x y",
        "ip4": "192.0.2.7",
        "count": "3",
    }
    assert captures("^<SUBNET>$", "192.0.2.0/24") is None or captures("^<SUBNET>$", "192.0.2.0/24") == {
        "ip": "192.0.2.0",
        "cidr": "24",
    }
    assert expand_tags("<F-ID>x</F-ID><F-PORT/>") == r"(?P<fid>x)(?P<fport>\w+)"


def test_what_is_no_tag_stays():
    """Brackets of other kinds are text."""
    assert expand_tags("<a> <FOO> </F-USER>") == "<a> <FOO> </F-USER>"


@pytest.mark.parametrize(
    ("regex", "message"),
    [
        ("(<HOST>", "a regex (missing ), unterminated subpattern)"),
        ("<HOST> <HOST>", "a regex (redefinition of group name 'ip' as group 2; was group 1)"),
        ("nobody", "a tag that says who: <HOST> or <F-USER>"),
        ("<F-A-B>x</F-A-B> <HOST>", "a tag made of letters, digits and _ (got <F-A-B>)"),
    ],
)
def test_bad_regexes(regex, message):
    """What is wrong is said in the operator's terms."""
    with pytest.raises(PatternError) as caught:
        compile_pattern(regex, "auth", 0, False)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("regex", "fused"),
    [
        ("^a <F-USER>x</F-USER>$", True),
        ("(?i)^a <F-USER>x</F-USER>$", True),
        ("a <F-USER>x</F-USER>", False),
        ("^a|<F-USER>x</F-USER>", False),
        (r"^(a)\1 <F-USER>x</F-USER>", False),
        ("(?x)^a <F-USER>x</F-USER>", False),
        ("^a(?#c) <F-USER>x</F-USER>", False),
    ],
)
def test_what_can_be_fused(regex, fused):
    """Only an anchored regex without references can be a branch of a larger one."""
    assert (compile_pattern(regex, "auth", 0, False).fused is not None) is fused


def test_what_looks_back():
    """A lookbehind that could reach the header is known."""
    assert compile_pattern("^<F-USER>x</F-USER>(?<!ab)$", "auth", 0, False).looks_back
    assert not compile_pattern("^abc(?<!ab)<F-USER>x</F-USER>$", "auth", 0, False).looks_back
