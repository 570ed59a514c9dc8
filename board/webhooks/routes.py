"""The permission of each route of webhooks."""

from __future__ import annotations

_HOOKS = "/api/v3/repos/{owner}/{repo}/hooks"
_ONE = f"{_HOOKS}/{{hook_id}}"
_DELIVERY = f"{_ONE}/deliveries/{{delivery_id}}"

ROUTES: dict[tuple[str, str], str] = {
    ("GET", "/webhooks"): "webhook.read",
    ("POST", "/webhooks"): "webhook.edit",
    ("GET", "/webhooks/{hook_id}"): "webhook.read",
    ("POST", "/webhooks/{hook_id}/edit"): "webhook.edit",
    ("POST", "/webhooks/{hook_id}/remove"): "webhook.edit",
    ("POST", "/webhooks/{hook_id}/ping"): "webhook.edit",
    ("POST", "/webhooks/{hook_id}/deliveries/{delivery_id}/again"): "webhook.edit",
    ("GET", _HOOKS): "webhook.read",
    ("POST", _HOOKS): "webhook.edit",
    ("GET", _ONE): "webhook.read",
    ("PATCH", _ONE): "webhook.edit",
    ("DELETE", _ONE): "webhook.edit",
    ("POST", f"{_ONE}/pings"): "webhook.edit",
    ("POST", f"{_ONE}/tests"): "webhook.edit",
    ("GET", f"{_ONE}/deliveries"): "webhook.read",
    ("GET", _DELIVERY): "webhook.read",
    ("POST", f"{_DELIVERY}/attempts"): "webhook.edit",
}
