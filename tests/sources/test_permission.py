"""Logs that may not be read, for a while."""

from banwatch.sources.turns import Patience


async def test_a_file_that_may_not_be_read(unprivileged, follow, append):
    """The errno stands in its state; the moment it may be read again it is, and what stood there is not live."""
    path = unprivileged / "a.log"
    append(path, b"one\ntwo\n")
    path.chmod(0)
    async with follow(path, lookback_bytes=4, patience=Patience()) as reader:
        assert reader.tail.sources()[str(path)].error == "permission denied (errno 13)"
        assert reader.tail.caught_up.is_set()
        path.chmod(0o600)
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live) == (b"two\n", False)
        append(path, b"three\n")
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live) == (b"three\n", True)
        assert reader.tail.sources()[str(path)].error is None


async def test_a_rotated_file_comes_without_permission(unprivileged, follow, append):
    """The new file belongs to somebody else at first, as with a logrotate that creates before it changes the owner."""
    path = unprivileged / "a.log"
    path.touch()
    async with follow(path, patience=Patience()) as reader:
        append(path, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        path.rename(f"{path}.1")
        path.touch(mode=0)
        append(unprivileged / "a.log.1", b"two\n")
        assert await reader.lines(1) == [b"two\n"]
        assert reader.tail.sources()[str(path)].error == "permission denied (errno 13)"
        path.chmod(0o600)
        append(path, b"three\n")
        assert await reader.lines(1) == [b"three\n"]


async def test_a_file_that_is_open_stays_readable(unprivileged, follow, append):
    """Whoever has it open keeps it, whatever its mode becomes."""
    path = unprivileged / "a.log"
    path.touch()
    async with follow(path) as reader:
        with path.open("ab", buffering=0) as file:
            path.chmod(0)
            file.write(b"one\n")
            assert await reader.lines(1) == [b"one\n"]


async def test_a_directory_that_may_not_be_entered(unprivileged, follow, append):
    """Its files are hidden until it may; what is found then may be old."""
    path = unprivileged / "logs" / "a.log"
    path.parent.mkdir()
    append(path, b"one\n")
    path.parent.chmod(0)
    glob = unprivileged / "logs" / "*.log"
    async with follow(path, glob) as reader:
        assert reader.tail.sources()[str(path)].error == "permission denied (errno 13)"
        assert reader.tail.sources()[str(glob)].error == "permission denied (errno 13)"
        path.parent.chmod(0o700)
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live, chunk.patterns) == (b"one\n", False, {str(path), str(glob)})
        append(path, b"two\n")
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live) == (b"two\n", True)


async def test_a_directory_that_may_be_entered_but_not_read(unprivileged, follow, append):
    """It cannot be watched, so it is looked at from time to time; its files are watched as ever."""
    path = unprivileged / "logs" / "a.log"
    path.parent.mkdir(mode=0o300)
    async with follow(path) as reader:
        append(path, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        path.replace(f"{path}.1")
        append(path, b"two\n")
        assert await reader.lines(1) == [b"two\n"]
