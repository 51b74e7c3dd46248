"""
A mail server that asks banwatch before it lets anybody in: Dovecot (IMAP, POP3), exim4 and sshd, with what docs/logins.md says
about each.
"""

from demo.machine import Machine
from demo.services import DOVECOT, EXIM4, PASSWORD, start_dovecot, start_exim4, start_rsyslogd, start_sshd

POP3, POLICY = 110, 4001
STATE = "/run/state"
"""Instead of /var/lib/banwatch, which may be this machine's own."""

KEY = "f" * 64

READING = f"""\
doors:
  files: {{directory: {STATE}/logins, pam: true, dovecot: true, exim: true}}
"""

ASKING = f"""\
doors:
  dovecot: {{port: {POLICY}, key: {STATE}/policy.key}}
  exim: {{socket: /run/banwatch/exim.sock}}
  files: {{directory: {STATE}/logins, pam: true}}
  kick: [doveadm, kick]
"""

DOVECOT_POLICY = f"""
auth_policy_server_url = http://127.0.0.1:{POLICY}/
auth_policy_server_api_header = X-API-Key: {KEY}
auth_policy_hash_nonce = a-nonce-of-this-host
"""

DOVECOT_FOR_EXIM = """
service auth {
  unix_listener auth-client {
    mode = 0660
    group = Debian-exim
  }
}
auth_mechanisms = plain login
"""

EXIM_BY_DOVECOT = """\
login:
  driver = dovecot
  public_name = LOGIN
  server_socket = /run/dovecot/auth-client
  server_set_id = $auth1
"""

DENY_PASSDB = f"""\
passdb {{
  driver = passwd-file
  deny = yes
  args = {STATE}/logins/dovecot-deny
}}
"""

EXIM_ACL = """\
acl_smtp_mail = check_mail
begin acl
check_mail:
  deny  authenticated = *
        condition     = ${{if eq{{{asks}}}{{deny}}}}
  accept

"""

EXIM_READS = f"{{!bool{{${{lookup{{$auth2}}lsearch{{{STATE}/logins/exim-deny}}{{yes}}{{no}}}}}}}}"
EXIM_ASKS = "${{readsocket{{/run/banwatch/exim.sock}}{{L ${{base64:{user}}} $sender_host_address}}{{7s}}{{}}{{ok}}}}"
SSHD_PAM = f"account required pam_access.so accessfile={STATE}/logins/pam-access nodefgroup\n"


def start_mailhost(machine: Machine, *, asks: bool = True) -> None:
    """All of them, and a user alice, who has the same password everywhere. Dovecot and Exim ask, or read files."""
    machine.run("useradd", "--no-create-home", "--home-dir", "/run", "--shell", "/bin/sh", "alice")
    machine.run("chpasswd", input=f"alice:{PASSWORD}\n")
    for directory, mode in ((STATE, 0o711), ("/run/banwatch", 0o755), ("/run/mail", 0o1777)):
        machine.path(directory).mkdir(exist_ok=True)
        machine.path(directory).chmod(mode)
    machine.write(f"{STATE}/policy.key", f"{KEY}\n", 0o640)
    machine.write("/etc/banwatch/banwatch.yaml", ASKING if asks else READING)
    start_rsyslogd(machine)
    start_sshd(machine)
    stack = machine.path("/etc/pam.d/sshd")
    stack.write_text(SSHD_PAM + stack.read_text())
    start_exim4(machine, _exim(asks))
    start_dovecot(machine, _dovecot(asks))
    machine.await_ports(POP3)


def _exim(asks: bool) -> str:
    """
    Exim's configuration, in which PLAIN asks or reads first, and LOGIN is Dovecot's, which does so by itself; and it has no
    patience with those who say nothing.
    """
    config = EXIM4.format(password=PASSWORD)
    config = config[: config.index("login:\n")] + EXIM_BY_DOVECOT
    first = f"{{!eq{{{EXIM_ASKS.format(user='$auth2')}}}{{deny}}}}" if asks else EXIM_READS
    config = config.replace("{eq{$auth2}{alice}}", first + "{eq{$auth2}{alice}}")
    if asks:
        acl = EXIM_ACL.format(asks=EXIM_ASKS.format(user="$authenticated_id"))
        config = config.replace("begin authenticators", f"{acl}begin authenticators")
    return f"smtp_receive_timeout = 1s\n{config}"


def _dovecot(asks: bool) -> str:
    """Dovecot's configuration, with POP3, a place for mail, and a door."""
    config = DOVECOT.format().replace("protocols = imap", "protocols = imap pop3")
    config = config.replace("maildir:~/Maildir", "maildir:/run/mail/%u") + DOVECOT_FOR_EXIM
    return config + DOVECOT_POLICY if asks else config.replace("passdb {", f"{DENY_PASSDB}passdb {{", 1)
