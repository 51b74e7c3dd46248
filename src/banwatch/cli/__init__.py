"""The commands: one file each, arguments and exit codes."""
