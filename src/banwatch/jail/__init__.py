"""Counts failures in exact windows by address, network and login, and decides bans: pure."""
