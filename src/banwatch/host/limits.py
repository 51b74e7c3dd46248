"""What the kernel allows this process."""

import resource


def raise_open_files() -> int:
    """
    Allow as many open files as the hard limit does; how many that are.

    The soft limit is 1024 for the sake of programs that use select(2), of which this is none.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
