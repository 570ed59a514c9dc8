"""The dark look, and the frame of every page."""

from __future__ import annotations

import re

from page_env import PageClient

from guardia.board.web.bundles import STATIC

TOKENS = STATIC / "vendor/krds-uiux/resources/css/token/krds_tokens.css"
_LIGHT = re.compile(r"(--krds-light-color-[a-z0-9-]+):")


def test_every_light_colour_of_krds_has_a_dark_one() -> None:
    light = set(_LIGHT.findall(TOKENS.read_text("utf-8")))
    dark = (STATIC / "dark.css").read_text("utf-8")
    assert len(light) > 100
    assert light == set(_LIGHT.findall(dark))
    known = set(re.findall(r"(--krds-[a-z0-9-]+):", TOKENS.read_text("utf-8")))
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", dark)) <= known


def test_the_look_follows_the_device_until_it_is_chosen(anonymous: PageClient) -> None:
    assert 'media="(prefers-color-scheme: dark)"' in anonymous.get("/login").text
    assert "dark.css" not in anonymous.get("/login?theme=light").text
    assert "dark.css" not in anonymous.get("/login").text, "the choice is kept"
    chosen = anonymous.get("/login?theme=dark").text
    assert "dark.css" in chosen and "prefers-color-scheme" not in chosen
    assert "dark.css" in anonymous.get("/login?theme=<script>").text


def test_the_notes_are_open_and_named_as_the_rules_demand(anonymous: PageClient) -> None:
    page = anonymous.get("/about").text
    assert '<a href="/about#privacy" class="privacy">개인정보 처리방침</a>' in page
    assert 'id="privacy"' in page and "주민등록번호는 저장하지 않습니다" in page
