"""Bans of logins: the services themselves ask, or read a file, and refuse even the right password."""
