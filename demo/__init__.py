"""
A machine within this machine, on which a ban can be watched from beginning to end without anybody being hurt.

`machine.py` makes it, `services.py` runs real servers on it, `daemon.py` runs banwatch there, `__main__.py` tells the story.
"""
