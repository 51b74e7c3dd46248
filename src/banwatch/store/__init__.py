"""What survives the daemon: the book, its history, the windows and the positions in the logs, in one SQLite database."""
