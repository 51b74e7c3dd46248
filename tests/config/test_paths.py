"""Where shipped files are."""

from banwatch.config.paths import shipped_dir


def test_installed(tmp_path):
    """A wheel has them within the package."""
    (tmp_path / "banwatch/shipped").mkdir(parents=True)
    assert shipped_dir(tmp_path / "banwatch") == tmp_path / "banwatch/shipped"


def test_source_tree(tmp_path):
    """A source tree has them at its top."""
    (tmp_path / "src/banwatch").mkdir(parents=True)
    assert shipped_dir(tmp_path / "src/banwatch") == tmp_path


def test_here():
    """Wherever these tests run, filters and jails are found."""
    assert (shipped_dir() / "filters/sshd.yaml").is_file()
    assert (shipped_dir() / "jails/sshd.yaml").is_file()
