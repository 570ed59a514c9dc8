"""The generated sudoers file, read by sudo's own programs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.errors import Refused
from guardia.tools.enrolment import sudoers

VISUDO = shutil.which("visudo", path="/usr/sbin:/usr/bin")
CVTSUDOERS = shutil.which("cvtsudoers", path="/usr/sbin:/usr/bin")
pytestmark = pytest.mark.skipif(VISUDO is None, reason="sudo is not installed")

RESTART = ("/usr/bin/systemctl", "restart", "nginx.service")


def parsed(text: str, folder: Path) -> dict[str, Any]:
    """Return a sudoers file as sudo understands it."""
    path = folder / "guardia"
    path.write_text(text)
    path.chmod(0o440)
    subprocess.run([str(VISUDO), "-c", "-q", "-f", path], check=True)
    words = [str(CVTSUDOERS), "-f", "json", path]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(shown or "{}")
    return found


def test_each_action_has_one_alias_with_exact_commands(tmp_path: Path) -> None:
    rights = {
        "service.restart": (RESTART, ("/usr/bin/systemctl", "restart", "tomcat10.service")),
        "web.reload": (("/usr/sbin/nginx", "-t"), ("/usr/sbin/nginx",)),
    }
    text = sudoers.render("ops", rights, server="WEB-01")
    found = parsed(text, tmp_path)
    aliases = found["Command_Aliases"]
    assert [c["command"] for c in aliases["GUARDIA_SERVICE_RESTART"]] == [
        "/usr/bin/systemctl restart nginx.service",
        "/usr/bin/systemctl restart tomcat10.service",
    ]
    assert [c["command"] for c in aliases["GUARDIA_WEB_RELOAD"]] == [
        "/usr/sbin/nginx -t",
        '/usr/sbin/nginx ""',
    ]
    (spec,) = found["User_Specs"]
    assert spec["User_List"] == [{"username": "ops"}]
    assert spec["Cmnd_Specs"][0]["runasusers"] == [{"username": "root"}]


def test_nothing_chosen_is_still_a_valid_file(tmp_path: Path) -> None:
    assert parsed(sudoers.render("ops", {}, server="WEB-01"), tmp_path) == {}


def test_an_action_that_cannot_be_exact_is_left_out_and_named(tmp_path: Path) -> None:
    rights = {"a.b": (RESTART,), "c.d": (("tail", "x"),)}
    text = sudoers.render("ops", rights, server="S", skip=True)
    assert list(parsed(text, tmp_path)["Command_Aliases"]) == ["GUARDIA_A_B"]
    assert any(line.startswith("#") and "c.d" in line for line in text.splitlines())
    with pytest.raises(Refused):
        sudoers.render("ops", rights, server="S")


@pytest.mark.parametrize(
    "account", ["ops", "svc_guardia", "CORP\\svc", "svc@corp.example", "host$", "a.b-c"]
)
def test_any_account_name_is_one_user(account: str, tmp_path: Path) -> None:
    found = parsed(sudoers.render(account, {"a.b": (RESTART,)}, server="S"), tmp_path)
    assert found["User_Specs"][0]["User_List"] == [{"username": account}]


ARGUMENT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12
)


@given(st.lists(ARGUMENT | st.sampled_from("#:,=\\*?[]!^$\"'{}()&|;<>~%`"), max_size=4))
def test_any_argument_is_a_valid_line_and_no_pattern(arguments: list[str]) -> None:
    line = sudoers.render_command("a.b", ("/bin/x", *arguments))
    unescaped = line.replace("\\\\", "").split("\\")
    for part in (unescaped[0], *(piece[1:] for piece in unescaped[1:])):
        assert not set(part) & set("*?[]!^,:=#")


@pytest.mark.parametrize(
    "arguments",
    [["a:b", "c=d", "e,f", "g\\h"], ["*"], ["[a-z]"], ["!x"], ["#1"], ["^a$"], ['"'], ["a b", "'"],
     ["()"], ["%wheel"], ["~"], ["\\x2d"]],
)  # fmt: skip
def test_special_characters_are_valid_for_visudo(arguments: list[str], tmp_path: Path) -> None:
    text = sudoers.render("ops", {"a.b": (("/bin/x", *arguments),)}, server="S")
    assert len(parsed(text, tmp_path)["Command_Aliases"]["GUARDIA_A_B"]) == 1


@pytest.mark.parametrize(
    "right",
    [("systemctl", "x"), ("/usr/bin/../x",), ("/usr/bin/*",), ("/bin/x", "a\nb"), ("/bin/x", ""),
     ("/usr/bin/",), ("/bin/x\n/bin/sh",), ("ALL",)],
)  # fmt: skip
def test_what_cannot_be_exact_is_refused(right: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        sudoers.render_command("a.b", right)
