"""logins/key.py: the key that Dovecot shows."""

import pytest

from banwatch.logins.key import load_key


def test_a_key_is_made_once(tmp_path):
    """Where there is none a new one is made, that only the owner and the group may read; it stays."""
    path = tmp_path / "policy.key"
    key = load_key(path)
    assert len(key) == 64
    assert path.stat().st_mode & 0o7777 == 0o640
    assert load_key(path) == key
    assert load_key(tmp_path / "another.key") != key


@pytest.mark.parametrize("text", ["", "short", "a" * 15, "a key with blanks in it", "sch\xf6n" * 8])
def test_what_is_no_key(tmp_path, text):
    """An empty file is no key that everybody knows."""
    path = tmp_path / "policy.key"
    path.write_text(text)
    path.chmod(0o640)
    with pytest.raises(ValueError, match="at least 16"):
        load_key(path)


@pytest.mark.parametrize("mode", [0o644, 0o641, 0o642, 0o660])
def test_a_key_that_others_may_read_or_write(tmp_path, mode):
    """It is none."""
    path = tmp_path / "policy.key"
    load_key(path)
    path.chmod(mode)
    with pytest.raises(ValueError, match=f"expected mode 0640, got {mode:04o}"):
        load_key(path)


def test_where_there_is_no_directory(tmp_path):
    """Nothing is made."""
    with pytest.raises(FileNotFoundError):
        load_key(tmp_path / "nowhere/policy.key")
