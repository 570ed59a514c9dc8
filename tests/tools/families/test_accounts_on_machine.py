"""An account's expiry and its crontab on a real machine: run, verified and undone, least rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machine_tools import MachineTools, grant_rights, machine_host
from machines_env import Machine

from guardia.errors import CommandFailed
from guardia.org.directory import Service
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.machines, pytest.mark.slow]

CRONTAB = """# m h  dom mon dow   command
MAILTO=\"\"
0 3 * * * /opt/batch/close.sh 50\\% > /dev/null 2>&1
# */5 * * * * /opt/batch/poll
7 7 * * * echo twice
7 7 * * * echo twice
"""
CLOSE = "0 3 * * * /opt/batch/close.sh 50\\% > /dev/null 2>&1"
TOOLS = ("account.set_expiry", "schedule.set_cron_line")


class _Key:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def get(self, _name: str) -> str:
        return self._machine.key.read_text()


@pytest.fixture
def tools(machine: Machine) -> Iterator[MachineTools]:
    """The account of a batch with a crontab."""
    machine.must("useradd -m batch 2>/dev/null || true; chage -E -1 batch")
    machine.must(f"cat > /root/crontab <<'END'\n{CRONTAB}END\ncrontab -u batch /root/crontab")
    host = machine_host(machine, Service(name="batch", kind="account", login="batch"))
    programs = ("/usr/bin/chage", "/usr/bin/crontab", "/usr/bin/passwd", "/usr/sbin/faillock")
    facts = host.facts.model_copy(update={"programs": programs})
    host = host.model_copy(update={"facts": facts})
    grant_rights(machine, host, *TOOLS)
    with Connections(_Key(machine)) as connections:
        yield MachineTools(machine, host, connections)
    machine.must("rm -f /etc/sudoers.d/tools /root/crontab; userdel -rf batch 2>/dev/null || true")


def expiry(tools: MachineTools) -> str:
    return tools.machine.must("chage -l batch | sed -n 's/^Account expires.*: //p'").strip()


def test_an_expiry_is_set_changed_and_cleared(tools: MachineTools) -> None:
    first = tools.change(
        "account.set_expiry", service="batch", expires="2087-02-28", previous="never"
    )
    assert expiry(tools) == "Feb 28, 2087"
    second = tools.change(
        "account.set_expiry", service="batch", expires="2088-01-31", previous="2087-02-28"
    )
    cleared = tools.change(
        "account.set_expiry", service="batch", expires="never", previous="2088-01-31"
    )
    assert expiry(tools) == "never"
    for action, found in ((cleared, "Jan 31, 2088"), (second, "Feb 28, 2087"), (first, "never")):
        tools.undo(action)
        assert expiry(tools) == found


def test_an_account_that_has_expired_is_extended_and_expires_again(tools: MachineTools) -> None:
    tools.machine.must("chage -E 2020-12-31 batch")
    assert tools.read("account.status", service="batch")["account_expired"] is True
    action = tools.change(
        "account.set_expiry", service="batch", expires="2087-12-31", previous="2020-12-31"
    )
    assert tools.read("account.status", service="batch")["account_expired"] is False
    tools.undo(action)
    assert expiry(tools) == "Dec 31, 2020"


def test_what_is_over_or_no_day_or_not_as_planned_changes_nothing(tools: MachineTools) -> None:
    for expires, previous in (("2020-01-31", "never"), ("2087-01-31", "2086-01-31")):
        with pytest.raises(AssertionError):
            tools.change("account.set_expiry", service="batch", expires=expires, previous=previous)
    assert expiry(tools) == "never"
    for right in ("-E 1", "-M 5", "-E 2087-01-31x"):  # sudo permits a day and nothing else
        asked = f"runuser -u {tools.machine.account} -- sudo -n -l chage {right} batch"
        assert tools.machine.run_as_root(asked).exit != 0, right


def crontab(tools: MachineTools) -> str:
    return tools.machine.must("crontab -l -u batch")


def test_a_line_of_a_crontab_is_switched_off_and_on(tools: MachineTools) -> None:
    found = {one["line"]: one for one in tools.read("schedule.crontab", service="batch")["lines"]}
    assert (found[CLOSE]["state"], found["7 7 * * * echo twice"]["times"]) == ("on", 2)
    poll = found["*/5 * * * * /opt/batch/poll"]
    assert (poll["state"], poll["sign"]) == ("off", "# ")
    off = tools.change(
        "schedule.set_cron_line", service="batch", line=CLOSE, state="off", previous="on"
    )
    assert off.difference == f"-{CLOSE}\n+#{CLOSE}\n"
    assert crontab(tools) == CRONTAB.replace(CLOSE, f"#{CLOSE}")
    on = tools.change(
        "schedule.set_cron_line", service="batch", line=poll["line"], state="on", previous="off",
        sign="# ",
    )  # fmt: skip
    assert "\n*/5 * * * * /opt/batch/poll\n" in crontab(tools)
    tools.undo(on)
    tools.undo(off)
    assert crontab(tools) == CRONTAB


def test_a_line_that_is_there_twice_or_not_at_all_changes_nothing(tools: MachineTools) -> None:
    for line in ("7 7 * * * echo twice", "9 9 * * * echo no"):
        action = tools.propose(
            "schedule.set_cron_line", service="batch", line=line, state="off", previous="on"
        )
        with pytest.raises(AssertionError):
            tools.require(action.precheck)
        with pytest.raises(CommandFailed, match="times in the crontab"):
            tools.run(action.call)
    assert crontab(tools) == CRONTAB
    tools.machine.must("crontab -r -u batch")
    assert tools.read("schedule.crontab", service="batch")["lines"] == []
