"""vsftpd's attempts stand in its own log, in PAM's lines, or in both."""

import itertools

import pytest

from banwatch.filter import Once

FAILED = 'Fri Nov 20 10:47:24 2026 [pid 70] [alice] FAIL LOGIN: Client "::ffff:192.0.2.7"'
PAM = (
    "Nov 20 10:47:22 mx1 vsftpd: pam_unix(vsftpd:auth): authentication failure; "
    "logname= uid=0 euid=0 tty=ftp ruser=alice rhost=::ffff:192.0.2.7  user=alice"
)
SSS = PAM.replace("pam_unix", "pam_sss")


@pytest.mark.parametrize("told", [(FAILED,), (PAM,), (SSS,), (PAM, FAILED), (PAM, SSS), (PAM, SSS, FAILED)])
def test_an_attempt_counts_once_wherever_it_is_told(shipped, told):
    """Two attempts are two, whichever lines tell of them and in whatever order the logs are read."""
    for lines in set(itertools.permutations(told * 2)):
        once = Once()
        admitted = [once.admit(shipped("vsftpd").match(line)) for line in lines]
        assert sum(match.attempts for match in admitted if match is not None) == 2
