"""Plan what the load balancers on other servers do before and after a server is changed."""

from __future__ import annotations

from collections.abc import Callable

from guardia.board.core.plan import Category, Citation, Plan, ToolCall
from guardia.board.rollouts.drafts import FrontPlan, ServerPlan
from guardia.errors import NotFound, Refused
from guardia.i18n import t, t_default
from guardia.org.directory import Host
from guardia.tools import balancers, planning
from guardia.tools.balancers import UpstreamPlace
from guardia.tools.deployment import Deployment, Read, plan_server
from guardia.tools.target import service_on

FindHost = Callable[[str], Host]
"""Returns a server of the CMDB. Raises `NotFound`."""
_TOOLS = ("deploy.take_out", "deploy.put_back")


def plan_with_fronts(host: Host, wanted: Deployment, read: Read, find: FindHost) -> ServerPlan:
    """Return the plan for one server, with those for its load balancers on other servers."""
    plan = plan_server(host, wanted, read)
    fronts = plan_fronts(host, wanted.service, plan.citation, find)
    return ServerPlan(wanted.service, plan, tuple(fronts))


def plan_fronts(host: Host, service: str, cited: Citation, find: FindHost) -> list[FrontPlan]:
    """Return the plans for the load balancers on other servers.

    Raises `Refused` for a load balancer that is unknown, blocked, or not to be changed.
    """
    return [
        _plans(host, service, place, cited, find)
        for place in balancers.fronts(service_on(host, service))
    ]


def _plans(
    host: Host, service: str, place: UpstreamPlace, cited: Citation, find: FindHost
) -> FrontPlan:
    try:
        front = find(place.front)
    except NotFound:
        why = t("rollouts.no_front", server=host.server_id, front=place.front)
        raise Refused(why=why) from None
    if front.blocked:
        raise Refused(why=t("rollouts.front_blocked", server=host.server_id, front=place.front))
    args = {
        "service": place.service,
        "file": place.file,
        "upstream": place.name,
        "address": place.server,
    }
    out, back = (
        Plan(
            server=front.server_id,
            category=Category.DEPLOY_SECURE,
            because=t_default("rollouts.front_because", server=host.server_id, service=service),
            citation=cited,
            actions=(planning.propose(ToolCall(tool=tool, args=args), front),),
        )
        for tool in _TOOLS
    )
    return FrontPlan(place.service, out, back)
