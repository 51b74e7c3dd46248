"""A small shipped configuration, and a directory over it, for tests of reading."""

from types import SimpleNamespace

import pytest

from banwatch.config.load import load_config
from banwatch.config.problem import render_problem

FILTER = """\
description: a small service
header: none
failregex:
  auth:
    - '^failed <F-USER>\\S+</F-USER> from <HOST>$'
  scan:
    - '^scan from <HOST>$'
successregex:
  - '^welcome <F-USER>\\S+</F-USER> from <HOST>$'
examples:
  - {log: 'failed root from 192.0.2.7', auth: {ip: 192.0.2.7, login: root}}
  - {log: 'scan from 192.0.2.7', scan: {ip: 192.0.2.7}}
  - {log: 'welcome root from 192.0.2.7', success: {ip: 192.0.2.7, login: root}}
"""

JAIL = """\
svc:
  watch:
    svc:
      logs: [/nowhere/svc.log]
  rules:
    ip: {count: [auth], by: ip, limit: 3/10m, bantime: 30m}
  ports: [22]
"""


class Directories:
    """Writes files below a configuration directory (`etc`) and shipped files (`shipped`), and loads them."""

    def __init__(self, root):
        self.etc = root / "etc"
        self.shipped = root / "shipped"
        for directory in (self.etc / "jails.d", self.etc / "filters.d", self.shipped / "jails", self.shipped / "filters"):
            directory.mkdir(parents=True)
        (self.shipped / "filters/svc.yaml").write_text(FILTER)
        (self.shipped / "jails/svc.yaml").write_text(JAIL)

    def write(self, name, content):
        data = content if isinstance(content, bytes) else content.encode()
        (self.etc / name).write_bytes(data)

    def load(self):
        return load_config(self.etc, self.shipped)

    def says(self, name=None, content=""):
        """The rendered problems after `content` was written to the file `name`."""
        if name is not None:
            self.write(name, content)
        return [render_problem(problem) for problem in self.load().problems]


@pytest.fixture
def directories(tmp_path):
    return Directories(tmp_path)


@pytest.fixture
def samples():
    return SimpleNamespace(filter=FILTER, jail=JAIL)
