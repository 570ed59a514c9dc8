#!/usr/bin/env python3
"""An external agent in one file, standard library only: it ends sessions that block others.

It receives the task on standard input and the board's address and a token in the environment, and
works through the board's API. Its entry in `org_chart.yaml`::

    - id: lock-agent
      title: 잠금 해소 담당
      duty: operate
      skills: [DB]
      tools: ["database.*"]
      adapter: {kind: process, command: [/opt/agents/external_agent.py]}
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

API, TOKEN = os.environ["GUARDIA_API"], os.environ["GUARDIA_TOKEN"]
ORIGIN = API.partition("/api/")[0]


def call(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Send one request; poll for the result if it takes longer."""
    address = ORIGIN + path if path.startswith("/api/") else API + path
    request = urllib.request.Request(
        address,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    found = json.loads(text or b"{}")
    if status == 202:
        time.sleep(0.2)
        return call("GET", found["call"])
    return status, found


def diagnose(service: str) -> None:
    """Read the locks; plan to end the idle sessions that hold them, or finish with the findings."""
    status, found = call("POST", "/reads", {"tool": "database.locks", "args": {"service": service}})
    if status != 200 or not found["ok"]:
        call("POST", "/handover", {"text": f"잠금 현황을 조회할 수 없습니다. {found['message']}"})
        return
    locks = found["findings"]
    idle = [r for r in locks["roots"] if (r["state"] or "").startswith("idle in transaction")]
    if not idle:
        call("POST", "/finish", {"text": "잠금을 점유한 유휴 세션이 없습니다."})
        return
    plan = {
        "because": f"유휴 트랜잭션 세션 {len(idle)}개가 잠금을 점유하여 "
        f"다른 세션 {locks['waiting']}개가 대기 중입니다.",
        "actions": [
            {
                "tool": "database.terminate_session",
                "args": {
                    "service": service,
                    "pid": root["pid"],
                    "backend_start": root["backend_start"],
                },
            }
            for root in idle
        ],
        "verify": [
            {
                "tool": "database.locks",
                "args": {"service": service},
                "expect": "waiting == `0`",
                "within": 15,
            }
        ],
    }
    status, found = call("POST", "/plan", plan)
    print(f"plan: {status} {found.get('state') or found.get('message')}")


def main() -> None:
    """Run one session: diagnose and plan, or apply the approved plan."""
    task = json.load(sys.stdin)
    if task["state"] == "APPROVED":
        status, found = call("POST", "/apply", {"plan_hash": task["plan_hash"]})
        print(f"apply: {status} {found.get('state') or found.get('message')}")
        return
    names = [s["name"] for s in task["host"]["services"] if s["kind"] == "postgresql"]
    if names:
        diagnose(names[0])
    else:
        call("POST", "/handover", {"text": "이 서버에 등록된 데이터베이스가 없습니다."})


if __name__ == "__main__":
    main()
