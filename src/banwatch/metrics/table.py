"""
Every metric there is: banwatch_<room>_<thing>. Pure. docs/metrics.md has the same rows.

Labels come from the configuration, never from a log line: no stranger can make more of them.
"""

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]


class Entry(NamedTuple):
    """One metric; `labels` are names, in the order in which a Reading gives their values."""

    name: str
    kind: Kind
    help: str
    labels: Labels = ()


LATENCY = "banwatch_firewall_ban_latency_seconds"
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

TABLE = (
    Entry("banwatch_sources_bytes_total", "counter", "Bytes read", ("log",)),
    Entry("banwatch_sources_rotations_total", "counter", "Times a new file took the place of the one that was read", ("log",)),
    Entry("banwatch_sources_truncations_total", "counter", "Times a file became shorter than what had been read of it", ("log",)),
    Entry(
        "banwatch_sources_overlong_lines_total", "counter", "Lines too long to be read whole: their beginning counted", ("log",)
    ),
    Entry("banwatch_sources_errors_total", "counter", "Attempts to open or read a file that failed", ("log",)),
    Entry("banwatch_sources_open_files", "gauge", "Files being read; 0 while they are waited for", ("log",)),
    Entry("banwatch_sources_parked_files", "gauge", "Files that are opened only to be read, for want of descriptors", ("log",)),
    Entry("banwatch_sources_unread_bytes", "gauge", "Bytes that stand in the files and were not yet handed on", ("log",)),
    Entry("banwatch_filter_lines_total", "counter", "Lines looked at, once for each log"),
    Entry("banwatch_filter_candidates_total", "counter", "Lines that some filter had to look at closely, once for each filter"),
    Entry("banwatch_filter_matches_total", "counter", "Lines that a failregex or successregex matched, once for each filter"),
    Entry(
        "banwatch_engine_skewed_matches_total", "counter", "Matches whose own time was over 60 s off, so that they counted as now"
    ),
    Entry(
        "banwatch_engine_premature_matches_total",
        "counter",
        "Matches in lines from before the start dated over 60 s ahead: they did not count",
    ),
    Entry("banwatch_jail_attempts_total", "counter", "Attempts that counted", ("jail",)),
    Entry("banwatch_jail_ignored_total", "counter", "Attempts from addresses in ignoreip and the like", ("jail",)),
    Entry(
        "banwatch_jail_spared_total", "counter", "Bans not made because they would have hit an ignored or own address", ("jail",)
    ),
    Entry("banwatch_jail_leaks_total", "counter", "Failures of addresses that were banned for more than 5 s", ("jail",)),
    Entry("banwatch_jail_evictions_total", "counter", "Keys forgotten early because there were too many", ("jail",)),
    Entry("banwatch_jail_keys_tracked", "gauge", "Addresses, networks or logins with attempts within findtime", ("jail", "rule")),
    Entry("banwatch_jail_alarms_total", "counter", "Accounts that began to look compromised", ("jail",)),
    Entry("banwatch_book_bans_total", "counter", "Bans, each when the kernel had it", ("jail",)),
    Entry("banwatch_book_unbans_total", "counter", "Ends of bans, for whatever reason", ("jail",)),
    Entry("banwatch_book_banned", "gauge", "Bans that last, those only recorded (enforce: false) among them", ("jail",)),
    Entry(
        "banwatch_book_shed_total", "counter", "Bans ended early because there were too many: those that would have ended first"
    ),
    Entry(LATENCY, "histogram", "From reading a line to the kernel's acknowledgement of the ban it led to"),
    Entry("banwatch_firewall_waiting", "gauge", "Changes that the kernel does not have yet"),
    Entry("banwatch_firewall_retries_total", "counter", "Changes tried again after the kernel refused them"),
    Entry("banwatch_firewall_given_up_total", "counter", "Changes given up after the last retry"),
    Entry("banwatch_firewall_expected", "gauge", "Bans and allowances that the kernel should hold"),
    Entry("banwatch_firewall_enforced", "gauge", "Those of them that it has acknowledged, and that were not found missing since"),
    Entry(
        "banwatch_firewall_repairs_total",
        "counter",
        "Repairs after somebody else, by what it was: set, members, ends, rules or order",
        ("cause",),
    ),
    Entry("banwatch_firewall_repairs_suspended", "gauge", "1 while a repair waits because there were too many of them"),
    Entry("banwatch_firewall_by_hand_total", "counter", "Members that somebody else added to our sets or removed", ("what",)),
    Entry(
        "banwatch_logins_decisions_total", "counter", "Answers to services that asked: allow, delay or deny", ("door", "decision")
    ),
    Entry("banwatch_logins_answer_seconds_total", "counter", "Time that these answers took", ("door",)),
    Entry(
        "banwatch_logins_reports_total",
        "counter",
        "Attempts that services told of: counted, success, repeated, refused (by us) or ignored",
        ("door", "outcome"),
    ),
    Entry("banwatch_logins_unanswered_total", "counter", "Questions without the key, malformed, or too many", ("door", "reason")),
    Entry("banwatch_logins_kicks_total", "counter", "Banned logins whose sessions were ended: done or failed", ("result",)),
    Entry("banwatch_store_writes_total", "counter", "Times that what changed was written down"),
    Entry("banwatch_store_failures_total", "counter", "Times that it could not be written down, or read at the start"),
    Entry("banwatch_store_lost_events_total", "counter", "Bans and unbans that are missing in the history because of that"),
    Entry("banwatch_control_requests_total", "counter", "Requests on the control socket", ("method",)),
    Entry("banwatch_control_errors_total", "counter", "Replies on the control socket that were errors"),
    Entry("banwatch_log_lost_lines_total", "counter", "Lines of banwatch's own log that could not be written"),
    Entry("banwatch_metrics_scrapes_total", "counter", "Times these metrics were read"),
    Entry("banwatch_config_jails", "gauge", "Jails that run"),
    Entry("banwatch_config_broken_jails", "gauge", "Jails left out because of problems in their configuration"),
    Entry("banwatch_config_reloads_total", "counter", "Reloads by result: done or refused", ("result",)),
    Entry(
        "banwatch_config_last_reload_successful", "gauge", "1 if the last reload was done, or none was asked for; 0 if refused"
    ),
    Entry("banwatch_config_last_reload_timestamp_seconds", "gauge", "When the configuration now running was read"),
    Entry("banwatch_daemon_errors_total", "counter", "Errors by room", ("room",)),
    Entry("banwatch_daemon_degraded", "gauge", "1 if status says degraded"),
    Entry("banwatch_build_info", "gauge", "1, with the version as a label", ("version", "python")),
)
