"""Memory that was used for a moment goes back to the system."""

import ctypes


def give_back() -> None:
    """
    Hand what is free back to the kernel.

    Compiling and bursts leave megabytes behind that the C library keeps for later; a daemon that idles needs no such store.
    Source: malloc_trim(3), glibc; elsewhere nothing happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
