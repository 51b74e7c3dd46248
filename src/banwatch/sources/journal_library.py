"""
libsystemd's own reader of the journal, through ctypes.

It is the library that came with the host's journald, so that it reads whatever journald writes. Its interface is stable
(sd-journal(3)). A handle may be used by one thread at a time. The interpreter's lock is kept during calls: they are short, and
to let go of it and take it again takes as long.
"""

import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

from banwatch.errors import SourceError
from banwatch.sources.journal_match import split_pattern

NAME: Final = "libsystemd.so.0"

_LOCAL_ONLY: Final = 1
_INVALIDATE: Final = 2
_FOREVER: Final = 2**64 - 1

_HANDLE: Final = ctypes.c_void_p
_POINTER: Final = ctypes.c_void_p
_SIGNATURES: Final[dict[str, tuple[Any, ...]]] = {
    "open": (_POINTER, ctypes.c_int),
    "open_directory": (_POINTER, ctypes.c_char_p, ctypes.c_int),
    "open_files": (_POINTER, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int),
    "close": (_HANDLE,),
    "flush_matches": (_HANDLE,),
    "add_match": (_HANDLE, ctypes.c_char_p, ctypes.c_size_t),
    "add_disjunction": (_HANDLE,),
    "seek_tail": (_HANDLE,),
    "seek_realtime_usec": (_HANDLE, ctypes.c_uint64),
    "seek_cursor": (_HANDLE, ctypes.c_char_p),
    "next": (_HANDLE,),
    "previous": (_HANDLE,),
    "get_data": (_HANDLE, ctypes.c_char_p, _POINTER, _POINTER),
    "get_realtime_usec": (_HANDLE, _POINTER),
    "get_cursor": (_HANDLE, _POINTER),
    "set_data_threshold": (_HANDLE, ctypes.c_size_t),
    "get_fd": (_HANDLE,),
    "get_timeout": (_HANDLE, _POINTER),
    "process": (_HANDLE,),
    "wait": (_HANDLE, ctypes.c_uint64),
}


class Library:
    """
    The functions of libsystemd that are used, by their names without sd_journal_.

    Raises:
        SourceError: it is not there.
    """

    def __init__(self, name: str = NAME) -> None:
        try:
            library = ctypes.PyDLL(name)
            for function, arguments in _SIGNATURES.items():
                found = getattr(library, f"sd_journal_{function}")
                found.argtypes, found.restype = arguments, ctypes.c_int
                setattr(self, function, found)
            library.sd_journal_close.restype = None
            library.sd_journal_flush_matches.restype = None
        except (OSError, AttributeError) as error:
            raise SourceError(f"the journal is not read: {name} cannot be loaded", "apt-get install libsystemd0") from error
        self.free = ctypes.CDLL(None).free
        self.free.argtypes, self.free.restype = (_POINTER,), None

    def __getattr__(self, name: str) -> Any:  # the functions, which have no types but those above
        raise AttributeError(name)


class Handle:
    """
    A place in the journal, between two entries or on one. What fails raises OSError with libsystemd's errno.

    Args:
        place: a journal file, or a directory of them; None is this host's journal.
        longest: how much of a value is handed out.
    """

    def __init__(self, library: Library, place: Path | None, longest: int) -> None:
        self._library = library
        self._get_data = library.get_data
        self._longest = longest
        self._pointer, self._length, self._number = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_uint64()
        self._at_pointer, self._at_length = ctypes.byref(self._pointer), ctypes.byref(self._length)
        self._at_number = ctypes.byref(self._number)
        self._handle: ctypes.c_void_p | None = None
        handle = ctypes.c_void_p()
        if place is None:
            self._check(library.open(ctypes.byref(handle), _LOCAL_ONLY))
        elif place.is_dir() or not place.exists():
            self._check(library.open_directory(ctypes.byref(handle), os.fsencode(place), 0))
        else:
            self._check(library.open_files(ctypes.byref(handle), (ctypes.c_char_p * 2)(os.fsencode(place), None), 0))
        self._handle = handle
        try:
            self._check(library.set_data_threshold(handle, longest + 64))  # of compressed values no more is unpacked
            self._check(library.wait(handle, 0))  # begins to watch; what is there now is no news for process() then
            self.descriptor = self._check(library.get_fd(handle))
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything; fine if it was done already."""
        if self._handle is not None:
            self._library.close(self._handle)
            self._handle = None

    def match(self, patterns: Iterable[str]) -> None:
        """See only entries that one of `patterns` matches. The place is lost."""
        library = self._library
        library.flush_matches(self._handle)
        for pattern in patterns:
            self._check(library.add_disjunction(self._handle))
            for field, value in split_pattern(pattern):
                word = b"%s=%s" % (field.encode(), value)
                self._check(library.add_match(self._handle, word, len(word)))

    def seek_end(self) -> None:
        """Go behind the last entry."""
        self._check(self._library.seek_tail(self._handle))

    def seek_time(self, microseconds: int) -> None:
        """Go before the first entry of this time or later."""
        self._check(self._library.seek_realtime_usec(self._handle, microseconds))

    def seek_behind(self, cursor: str) -> bool:
        """
        Go behind the entry of this cursor, or where it would be; True if the next entry was stepped on by this already.

        Raises:
            OSError: EINVAL: it is no cursor.
        """
        self._check(self._library.seek_cursor(self._handle, cursor.encode("ascii", "replace")))
        return self.next() and _essence(self.cursor()) != _essence(cursor)

    def next(self) -> bool:
        """Step on the next entry; False if there is none yet."""
        return bool(self._check(self._library.next(self._handle)))

    def previous(self) -> bool:
        """Step on the entry before; False if there is none."""
        return bool(self._check(self._library.previous(self._handle)))

    def value(self, field: bytes) -> bytes | None:
        """The value of a field of this entry, its first if there are several; None without one."""
        code = self._get_data(self._handle, field, self._at_pointer, self._at_length)
        if code:
            if code in (-errno.ENOENT, -errno.E2BIG, -errno.ENOBUFS):
                return None
            self._check(code)
        name = len(field) + 1
        size = self._length.value - name
        return ctypes.string_at((self._pointer.value or 0) + name, size if size < self._longest else self._longest)

    def time(self) -> int:
        """When journald got this entry, in microseconds."""
        self._check(self._library.get_realtime_usec(self._handle, self._at_number))
        return self._number.value

    def cursor(self) -> str:
        """What this entry can be found by in another life."""
        self._check(self._library.get_cursor(self._handle, self._at_pointer))
        text = ctypes.string_at(self._pointer.value or 0)
        self._library.free(self._pointer)
        return text.decode("ascii")

    def process(self) -> bool:
        """Take notice of what woke the descriptor; True if files went or came, so that places may be lost."""
        return self._check(self._library.process(self._handle)) == _INVALIDATE

    def due(self) -> float | None:
        """When to call process() though nothing woke the descriptor, by the monotonic clock: on file systems without events."""
        self._check(self._library.get_timeout(self._handle, self._at_number))
        return None if self._number.value == _FOREVER else self._number.value / 1e6

    @staticmethod
    def _check(code: int) -> int:
        if code < 0:
            raise OSError(-code, os.strerror(-code))
        return code


def _essence(cursor: str) -> list[str]:
    """
    What an entry and its copy in another file have in common: boot, times and content, not the place in a sequence.

    sd_journal_test_cursor takes them for two; journald copies what it has in /run when it gets /var.
    """
    return [part for part in cursor.split(";") if part[:2] in ("b=", "m=", "t=", "x=")]
