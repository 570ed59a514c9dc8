"""The reads that enrol and check a server."""

from __future__ import annotations

from typing import Any

from guardia.tools.enrolment.endpoint_facts import ENDPOINTS
from guardia.tools.enrolment.rights_facts import RIGHTS
from guardia.tools.enrolment.socket_facts import SOCKETS
from guardia.tools.enrolment.system_facts import SYSTEM
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (SYSTEM, SOCKETS, ENDPOINTS, RIGHTS)
