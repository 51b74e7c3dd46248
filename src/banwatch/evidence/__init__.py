"""The lines that led to a ban, read once more from the log: nothing is kept of lines for the case that somebody asks."""
