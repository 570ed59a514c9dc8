"""What a rule forbids, and when it permits it: on generated rules, changes and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guardia.board.site_rules import policy
from guardia.board.site_rules.periods import next_opening
from guardia.board.site_rules.policy import History, PastStep, RuleVersion, ServerChange, Setting
from guardia.board.site_rules.terms import SiteRule

SEOUL = ZoneInfo("Asia/Seoul")
NOON = datetime(2026, 11, 20, 3, tzinfo=UTC)  # a Friday noon in Seoul
RESTART = ServerChange(
    "MOF-WAS-01", "MOF", "service.restart", {"service": "portal"}, frozenset({"portal"})
)
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))
CLOCKS = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
DAYS = st.lists(
    st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1, max_size=7
)
MONTH_DAYS = st.dates(datetime(2028, 1, 1).date(), datetime(2028, 12, 31).date()).map(
    lambda day: f"{day:%m-%d}"
)
PERIODS = st.one_of(
    st.fixed_dictionaries({"every": st.just("year"), "from": MONTH_DAYS, "until": MONTH_DAYS}),
    st.fixed_dictionaries(
        {"every": st.just("week"), "days": DAYS, "from": CLOCKS, "until": CLOCKS}
    ),
    st.fixed_dictionaries(
        {"every": st.just("month"), "last": st.integers(1, 5), "first": st.integers(0, 5)}
    ),
    TIMES.map(lambda at: {"from": at.isoformat(), "until": (at + timedelta(days=3)).isoformat()}),
)


def rule(terms: dict[str, object], **more: object) -> SiteRule:
    """Return a rule."""
    return SiteRule.model_validate(
        {"name": "r", "terms": terms, "sentence": "결산 기간에는 재기동하지 않습니다.", **more}
    )


def version(found: SiteRule | None) -> RuleVersion:
    """Return a rule in force."""
    return RuleVersion("r", 1, "결산", found.hash if found else "-", found)


def broken(
    found: SiteRule | None,
    change: ServerChange = RESTART,
    at: datetime = NOON,
    history: History | None = None,
) -> policy.Break | None:
    """Return what a rule says to a change."""
    return policy.find_break(version(found), change, Setting(at, SEOUL, history or History()))


def freeze(*periods: dict[str, object], **more: object) -> SiteRule:
    """Return a freeze of restarts."""
    return rule({"kind": "freeze", "actions": ["*.restart"], "periods": list(periods)}, **more)


def past(server: str = "MOF-WAS-02", hours: float = 1, **more: object) -> PastStep:
    """Return a restart of the past."""
    words = {"tool": "service.restart", "args": {"service": "portal"}, **more}
    return PastStep(server=server, at=NOON - timedelta(hours=hours), **words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("period", "at", "opens"),
    [
        ({"from": "2026-11-20T09:00", "until": "2026-11-20T13:00"}, "11-20 12:00", "11-20 13:00"),
        ({"every": "week", "days": ["thu"], "from": "22:00", "until": "13:00"}, "11-20 12:00",
         "11-20 13:00"),
        ({"every": "week", "days": ["fri"], "from": "00:00", "until": "00:00"}, "11-20 23:59",
         "11-21 00:00"),
        ({"every": "month", "last": 2, "first": 1}, "11-29 00:00", "12-02 00:00"),
        ({"every": "month", "last": 2, "first": 1}, "12-01 23:00", "12-02 00:00"),
        ({"every": "year", "from": "11-20", "until": "11-20"}, "11-20 12:00", "11-21 00:00"),
    ],
)  # fmt: skip
def test_a_freeze_ends_when_korean_time_says_so(
    period: dict[str, object], at: str, opens: str
) -> None:
    moment, end = (
        datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SEOUL)
        for text in (at, opens)
    )
    found = broken(freeze(period), at=moment.astimezone(UTC))
    assert found is not None and found.until == end
    assert broken(freeze(period), at=end) is None


def test_a_freeze_over_new_year_holds_on_both_sides_of_it() -> None:
    found = freeze({"every": "year", "from": "12-25", "until": "01-05"})
    for day in ("2026-12-25", "2027-01-01", "2027-01-05"):
        result = broken(found, at=datetime.fromisoformat(day).replace(tzinfo=SEOUL))
        assert result is not None and result.until == datetime(2027, 1, 6, tzinfo=SEOUL)
    assert broken(found, at=datetime(2027, 1, 6, tzinfo=SEOUL)) is None


def test_the_29th_of_february_is_the_first_of_march_in_other_years() -> None:
    found = freeze({"every": "year", "from": "02-29", "until": "03-01"})
    assert broken(found, at=datetime(2027, 2, 28, 12, tzinfo=SEOUL)) is None
    assert broken(found, at=datetime(2027, 3, 1, 12, tzinfo=SEOUL)) is not None
    assert broken(found, at=datetime(2028, 2, 29, 12, tzinfo=SEOUL)) is not None


@pytest.mark.slow
@given(st.lists(PERIODS, min_size=1, max_size=4), TIMES)
def test_a_freeze_opens_at_the_first_time_that_is_in_none_of_its_periods(
    periods: list[dict[str, object]], at: datetime
) -> None:
    terms = freeze(*periods).terms
    known = terms.periods  # type: ignore[union-attr]
    opens = next_opening(known, at, SEOUL)
    if opens is None:
        return
    local = opens.astimezone(SEOUL)
    assert opens >= at and all(period.end_at(local) is None for period in known)
    if opens > at:
        just_before = local - timedelta(microseconds=1)
        assert any(period.end_at(just_before) is not None for period in known)


@given(PERIODS, TIMES, st.sampled_from(["service.restart", "disk.archive"]))
@pytest.mark.slow
def test_a_freeze_binds_only_its_actions(
    period: dict[str, object], at: datetime, tool: str
) -> None:
    change = ServerChange("MOF-WAS-01", "MOF", tool, {})
    if tool == "disk.archive":
        assert broken(freeze(period), change, at) is None


@pytest.mark.parametrize(
    ("path", "forbidden"),
    [
        ("/data/audit", True),
        ("/data/audit/2026/a.log", True),
        ("/data/./audit//a.log", True),
        ("/data/app/../audit/a.log", True),
        ("//data/audit/a.log", True),
        ("/data/auditor/a.log", False),
        ("/data/app/a.log", False),
    ],
)
def test_a_path_is_compared_by_what_it_means(path: str, forbidden: bool) -> None:
    change = ServerChange("MOF-WAS-01", "MOF", "disk.archive", {}, paths=(path,))
    found = rule({"kind": "never", "paths": ["/data/audit/"]})
    plain = History(real_paths={path: path, "/data/audit/": "/data/audit"})
    assert (broken(found, change, history=plain) is not None) is forbidden


@pytest.mark.parametrize(
    ("real", "forbidden"),
    [
        ({"/srv/log": "/srv/log", "/data/audit": "/data/audit"}, False),
        ({"/srv/log": "/data/audit/2026", "/data/audit": "/data/audit"}, True),
        # The rule names a link, too.
        ({"/srv/log": "/mnt/v1/audit/x", "/data/audit": "/mnt/v1/audit"}, True),
        ({"/srv/log": "", "/data/audit": "/data/audit"}, True),
    ],
)
def test_a_link_is_as_forbidden_as_what_it_leads_to(real: dict[str, str], forbidden: bool) -> None:
    change = ServerChange("MOF-WAS-01", "MOF", "disk.archive", {}, paths=("/srv/log",))
    found = rule({"kind": "never", "paths": ["/data/audit"]})
    result = broken(found, change, history=History(real_paths=real))
    assert (result is not None) is forbidden
    assert result is None or not result.can_be_read
    # Before anyone has looked, the change waits for the read.
    unknown = broken(found, change)
    assert unknown is not None and unknown.can_be_read


def test_a_change_of_unknown_paths_is_forbidden() -> None:
    change = ServerChange("MOF-WAS-01", "MOF", "disk.archive", {}, paths=None)
    assert broken(rule({"kind": "never", "paths": ["/data"]}), change) is not None


@given(st.floats(0.01, 48), st.sampled_from(["MOF-WAS-01", "MOF-WAS-02", "MOF-WAS-03"]))
def test_an_order_wants_the_same_change_on_the_other_server_lately(
    hours: float, server: str
) -> None:
    found = rule({"kind": "order", "after": "MOF-WAS-02", "within_hours": 24})
    history = History(completed=[past(server, hours)])
    assert (broken(found, history=history) is None) is (server == "MOF-WAS-02" and hours < 24)


def test_an_order_compares_the_arguments_unless_it_says_otherwise() -> None:
    terms = {"kind": "order", "after": "MOF-WAS-02"}
    history = History(completed=[past(args={"service": "other"})])
    assert broken(rule(terms), history=history) is not None
    assert broken(rule({**terms, "same": "action"}), history=history) is None
    # The server that goes first waits for none.
    first = ServerChange("MOF-WAS-02", "MOF", "service.restart", {})
    assert broken(rule(terms), first) is None


@pytest.mark.slow
@given(st.lists(st.floats(0.01, 48), max_size=6), st.integers(1, 4), st.integers(1, 24))
def test_a_limit_counts_the_last_hours_and_says_when_it_permits(
    hours: list[float], most: int, within: int
) -> None:
    found = rule({"kind": "limit", "at_most": most, "within_hours": within})
    history = History(attempted=[past("MOF-WAS-01", h) for h in hours])
    result = broken(found, history=history)
    assert (result is None) is (sum(h < within for h in hours) < most)
    if result is not None:
        assert result.until is not None and result.until > NOON
        assert broken(found, at=result.until, history=history) is None


def test_a_limit_counts_together_only_if_it_says_so() -> None:
    terms = {"kind": "limit", "at_most": 1, "within_hours": 1}
    elsewhere = History(attempted=[past("MOF-WAS-02", 0.5)])
    assert broken(rule(terms), history=elsewhere) is None
    assert broken(rule({**terms, "per": "scope"}), history=elsewhere) is not None


@pytest.mark.parametrize(("age", "permitted"), [(3, True), (30, False), (None, False)])
def test_a_read_that_comes_first_has_to_meet_its_condition(
    age: int | None, permitted: bool
) -> None:
    terms = {"kind": "first", "read": "backup.age", "expect": "hours < `24`"}
    reads = [past("MOF-WAS-01", tool="backup.age", args={}, findings={"hours": age})] if age else []
    result = broken(rule(terms), history=History(reads=reads))
    assert (result is None) is permitted
    assert result is None or result.can_be_read


@pytest.mark.parametrize(
    ("scope", "change", "applies"),
    [
        ({}, RESTART, True),
        ({"institution": "MOF"}, RESTART, True),
        ({"institution": "MOE"}, RESTART, False),
        ({"server": "MOF-WAS-02"}, RESTART, False),
        ({"server": "MOF-WAS-01", "service": "portal"}, RESTART, True),
        ({"server": "MOF-WAS-01", "service": "batch"}, RESTART, False),
        # What names no service acts on all of them.
        ({"server": "MOF-WAS-01", "service": "batch"},
         ServerChange("MOF-WAS-01", "MOF", "host.reboot", {}), True),
    ],
)  # fmt: skip
def test_a_rule_binds_its_place(scope: dict[str, str], change: ServerChange, applies: bool) -> None:
    found = rule({"kind": "investigate"}, scope=scope)
    assert (broken(found, change) is not None) is applies


def test_a_rule_binds_only_on_its_days() -> None:
    found = rule({"kind": "investigate"}, valid_from="2026-11-20", valid_until="2026-11-20")
    days = [NOON + timedelta(days=n) for n in (-1, 0, 1)]
    assert [broken(found, at=day) is not None for day in days] == [False, True, False]


def test_what_cannot_be_read_or_evaluated_forbids() -> None:
    assert broken(None) is not None
    terms = {"kind": "first", "read": "backup.age", "expect": "length(hours) > `1`"}
    reads = [past("MOF-WAS-01", tool="backup.age", args={}, findings={"hours": 3})]
    assert broken(rule(terms), history=History(reads=reads)) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "freeze", "periods": []},
        {"kind": "freeze", "periods": [{"every": "year", "from": "02-30", "until": "03-01"}]},
        {"kind": "freeze", "periods": [{"from": "2026-02-02T00:00", "until": "2026-02-01T00:00"}]},
        {"kind": "never"},
        {"kind": "never", "paths": ["data/audit"]},
        {"kind": "never", "actions": ["rm -rf /"]},
        {"kind": "first"},
        {"kind": "first", "read": "a.b", "expect": "((("},
        {"kind": "limit", "at_most": 0, "within_hours": 1},
        {"kind": "unknown"},
    ],
)
def test_a_rule_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        rule(wrong)


LOOSENED = [
    ({"kind": "limit", "at_most": 2, "within_hours": 3},
     {"kind": "limit", "at_most": 3, "within_hours": 3}, True),
    ({"kind": "limit", "at_most": 2, "within_hours": 3},
     {"kind": "limit", "at_most": 1, "within_hours": 4}, False),
    ({"kind": "never", "paths": ["/a"]}, {"kind": "never", "paths": ["/a", "/b"]}, False),
    ({"kind": "never", "paths": ["/a", "/b"]}, {"kind": "never", "paths": ["/a"]}, True),
    ({"kind": "investigate"}, {"kind": "investigate", "actions": ["*.restart"]}, True),
    ({"kind": "investigate", "actions": ["*.restart"]}, {"kind": "investigate"}, False),
    ({"kind": "investigate"}, {"kind": "never", "paths": ["/"]}, True),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "looser"), LOOSENED)
def test_what_may_permit_more_is_known(
    before: dict[str, object], after: dict[str, object], looser: bool
) -> None:
    assert policy.is_looser(rule(before), rule(after)) is looser


@given(
    st.sampled_from([terms for before, after, _ in LOOSENED for terms in (before, after)]),
    st.sampled_from([terms for before, after, _ in LOOSENED for terms in (before, after)]),
    st.sampled_from(["/a/x", "/b/x", "/c"]),
    st.integers(0, 4),
)
def test_a_change_that_counts_as_no_loosening_permits_nothing_new(
    before: dict[str, object], after: dict[str, object], path: str, count: int
) -> None:
    old, new = rule(before), rule(after)
    real = {one: one for one in (path, "/a", "/b", "/")}
    change = ServerChange("MOF-WAS-01", "MOF", "service.restart", {}, paths=(path,))
    attempted = [past("MOF-WAS-01", 2 + n / 4) for n in range(count)]
    history = History(attempted=attempted, real_paths=real)
    if not policy.is_looser(old, new) and broken(old, change, history=history):
        assert broken(new, change, history=history) is not None
