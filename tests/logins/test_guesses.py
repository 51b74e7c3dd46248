"""logins/guesses.py: the same wrong password again is no guess."""

from banwatch.logins.guesses import DAY, DISTINCT, Guesses

IP = "203.0.113.7"


def test_the_same_password_again():
    """It is news once, as long as it is tried every day; another one, on another login or from elsewhere, is news, too."""
    guesses = Guesses()
    assert [guesses.is_news(IP, "bob", "0a3f", at) for at in (0.0, 1.0, DAY, 2 * DAY)] == [True, False, False, False]
    assert guesses.is_news(IP, "bob", "0b00", 1.0)
    assert guesses.is_news(IP, "eve", "0a3f", 1.0)
    assert guesses.is_news(None, "bob", "0a3f", 1.0)
    assert guesses.is_news(IP, "bob", "0a3f", 3 * DAY + 1)


def test_without_a_hash():
    """A mechanism that does not show the password tells nothing about it: each attempt is news."""
    guesses = Guesses()
    assert [guesses.is_news(IP, "bob", "", 0.0) for _ in range(3)] == [True] * 3


def test_bounds():
    """Of very many passwords, or pairs, those tried first are forgotten."""
    guesses = Guesses(room=10)
    for number in range(DISTINCT + 1):
        guesses.is_news(IP, "bob", str(number), 0.0)
    assert guesses.is_news(IP, "bob", "0", 0.0)
    assert not guesses.is_news(IP, "bob", str(DISTINCT), 0.0)
    for number in range(10):
        guesses.is_news(IP, f"user{number}", "x", 0.0)
    assert guesses.is_news(IP, "bob", str(DISTINCT), 0.0)
    assert not guesses.is_news(IP, "user9", "x", 0.0)
