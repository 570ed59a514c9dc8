"""Texts of issues and comments about alerts. What a source has sent is quoted as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from guardia.board.alerts.changed import ChangedAlert
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import format_time, log_label
from guardia.i18n import t_default

_LISTED = 20
_SHORT = 200


def source_name(source: str) -> str:
    """Return the display name of a source in the language of the board."""
    return log_label("web.channel", source)


def issue_title(alert: ChangedAlert) -> str:
    """Return the title of an alert's issue."""
    where = alert.server_id or alert.host or "-"
    return t_default("alerts.issue.title", rule=_one_line(alert.rule), where=_one_line(where))


def issue_text(source: str, alerts: Sequence[ChangedAlert], previous: int | None) -> str:
    """Return the text of a new issue for alerts of one rule on one server."""
    first = alerts[0]
    lines = [first.summary or first.rule, ""]
    for alert in alerts[:_LISTED]:
        lines += [*_alert_lines(alert), ""]
    if len(alerts) > _LISTED:
        lines.append(t_default("alerts.more", count=len(alerts) - _LISTED))
    lines.append(t_default("alerts.issue.source", source=source_name(source)))
    if previous is not None:
        lines.append(t_default("alerts.issue.previous", sr=issue_ref(previous)))
    if first.silenced_sr is not None:
        lines.append(t_default("alerts.issue.after_change", sr=issue_ref(first.silenced_sr)))
    elif first.silenced_by is not None:
        lines.append(t_default("alerts.issue.after_window", number=first.silenced_by))
    return "\n".join(lines)


def _alert_lines(alert: ChangedAlert) -> list[str]:
    known = alert.server_id is not None
    where = t_default(
        "alerts.issue.known" if known else "alerts.issue.unknown",
        server=alert.server_id or "-",
        host=_one_line(alert.host) or "-",
    )
    labels = ", ".join(f"{name}={_one_line(str(text))}" for name, text in alert.labels.items())
    words = {
        "rule": _one_line(alert.rule),
        "severity": _one_line(alert.severity) or "-",
        "where": where,
        "at": format_time(alert.started_at),
        "labels": labels or "-",
    }
    lines = t_default("alerts.issue.alert", **words).split("\n")
    return [*lines, t_default("alerts.issue.url", url=_one_line(alert.url))] if alert.url else lines


def storm_text(source: str, alerts: Sequence[ChangedAlert], per_minute: int) -> str:
    """Return the text of the issue that takes the alerts of a storm."""
    begun = t_default("alerts.storm.text", source=source_name(source), count=per_minute)
    return "\n".join([begun, "", *_most_frequent(alerts)])


def _most_frequent(alerts: Sequence[ChangedAlert]) -> list[str]:
    rules = Counter(one.rule for one in alerts)
    hosts = Counter(one.server_id or one.host or "-" for one in alerts)
    return [
        t_default(
            f"alerts.storm.{kind}",
            names=", ".join(f"{_one_line(name)} ({n})" for name, n in counted.most_common(_LISTED)),
        )
        for kind, counted in (("rules", rules), ("hosts", hosts))
    ]


def comment(key: str, source: str, alerts: Sequence[ChangedAlert], **words: object) -> str:
    """Return a comment in Markdown: a sentence, and one line for each alert."""
    head = t_default(f"alerts.comment.{key}", source=source_name(source), **words)
    lines = [
        t_default(
            "alerts.comment.alert",
            rule=_quoted(one.rule),
            severity=_quoted(one.severity or "-"),
            where=_quoted(one.server_id or one.host or "-"),
            count=one.count,
            summary=_quoted(one.summary or "-"),
        )
        for one in alerts[:_LISTED]
    ]
    if len(alerts) > _LISTED:
        lines.append("- " + t_default("alerts.more", count=len(alerts) - _LISTED))
    return "\n".join([head, *lines])


def change_reason(sr_id: int) -> str:
    """Return why the change of an issue silences alerts."""
    return t_default("alerts.because.change", sr=issue_ref(sr_id))


def window_reason(number: int) -> str:
    """Return why a maintenance window silences alerts."""
    return t_default("alerts.because.window", number=number)


def names_of(alerts: Sequence[ChangedAlert]) -> str:
    """Return the rules of alerts in one line, for audit entries."""
    names = list(dict.fromkeys(_one_line(one.rule) for one in alerts))
    shown = ", ".join(names[:3])
    more = len(names) - 3
    return f"{shown} {t_default('alerts.more', count=more)}" if more > 0 else shown


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHORT else f"{flat[:_SHORT]}…"


def _quoted(text: str) -> str:
    """Return text as code of Markdown, which shows everything in it unchanged."""
    return f"`{_one_line(text).replace('`', chr(39))}`"
