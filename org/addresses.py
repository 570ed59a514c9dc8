"""Addresses of servers in org_chart.yaml, judged by the library that calls them."""

from __future__ import annotations


def is_address(text: str) -> bool:
    """Return whether the HTTP client can send a request to this address."""
    import httpx  # takes long to load, and few charts have addresses

    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError, TypeError):
        return False
    return url.scheme in {"http", "https"} and bool(url.host) and text == text.strip()
