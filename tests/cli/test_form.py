"""`guardia form`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import command_env, output, refusal

from guardia.errors import Invalid


@pytest.mark.slow
def test_the_catalogue_as_code_and_a_request(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch):
        assert "vpn-access" in output("form", "list", "VPN")
        assert json.loads(output("form", "list", "방화벽", "--json"))[0]["id"] == "firewall-open"
        file = tmp_path / "catalogue.yaml"
        file.write_text(output("form", "export").replace("업무시스템 계정 신청", "계정 발급"))
        assert "25개" in output("form", "validate", file)
        assert "변경: account-new 계정 발급" in output("form", "plan", file)
        assert "1판" in output("form", "apply", file)
        assert "계정 발급" in output("form", "show", "account-new")
        given = ("account=hnjang", "system=예산", "symptom=비밀번호 분실", "phone=044-215-0000")
        put = [word for one in given for word in ("--set", one)]
        assert "SR-1" in output("form", "file", "account-unlock", "--as", "cus", *put)
        refusal(Invalid, "form", "file", "account-unlock", "--as", "cus", *put[:2])
        assert "2판" in output("form", "rollback", 0)
        assert len(output("form", "history").splitlines()) == 2
        file.write_text("forms:\n  - {id: x}\n")
        assert "2행" in refusal(Invalid, "form", "validate", file)
