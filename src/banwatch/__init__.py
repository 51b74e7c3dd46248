"""banwatch: reads logs as they are written, counts failures exactly, bans in the kernel."""

__version__ = "0.1.0"
