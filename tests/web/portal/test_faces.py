"""The faces of other scripts: named by the pages whose documents need them, served by ourselves, cached for ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tenants.invoices.content import Content

RULE = re.compile(
    r'@font-face\{font-family:"([^"]+)";font-weight:(\d+);font-display:(\w+);src:url\(([^)]+)\)[^}]*unicode-range:([^}]+)\}'
)


async def page_of(visitor: Any, tenants: Any, acme: Any, content: Content) -> str:
    tenant = await tenants.another(acme, content)
    answer = await visitor.ask(tenant.path, tenant.host)
    assert answer.status_code == 200
    text: str = answer.text
    return text


async def test_a_page_in_latin_letters_names_no_faces(visitor: Any, acme: Any) -> None:
    answer = await visitor.ask(acme.path, acme.host)
    assert "@font-face" not in answer.text


@pytest.mark.parametrize(
    ("text", "families", "display"),
    [
        ("فاتورة", {"Portal Arabic"}, "optional"),
        ("Счёт", {"Portal Inter"}, "optional"),
        ("請求書", {"Portal Japanese"}, "swap"),
    ],
)
async def test_a_page_names_the_faces_of_its_letters_and_they_are_served(
    visitor: Any,
    tenants: Any,
    acme: Any,
    content: Callable[..., Content],
    *,
    text: str,
    families: set[str],
    display: str,
) -> None:
    page = await page_of(visitor, tenants, acme, content(notes=(text,)))
    rules = RULE.findall(page)
    assert {family for family, *_ in rules} == families
    assert {weight for _, weight, *_ in rules} == {"400", "600"}
    assert {shown for _, _, shown, *_ in rules} == {display}
    named = {point for *_, points in rules for point in points.split(",")}
    assert named == {f"U+{ord(letter):X}" for letter in text}
    for *_, address, _points in rules:
        face = await visitor.ask(address, acme.host)
        assert (face.status_code, face.headers["content-type"]) == (200, "font/woff2")
        assert "immutable" in face.headers["cache-control"]
        assert face.content.startswith(b"wOF2")


async def test_the_first_faces_are_preloaded_where_the_paper_is_shown(
    visitor: Any, tenants: Any, acme: Any, content: Callable[..., Content]
) -> None:
    page = await page_of(
        visitor, tenants, acme, content(notes=("فاتورة 請求書 発行日 支払期限 振込先 合計金額",))
    )
    early = re.findall(
        r'<link rel="preload" href="([^"]+)" as="font" type="font/woff2" media="([^"]+)"', page
    )
    assert len(early) == 8
    assert {media for _, media in early} == {"(width >= 720px)"}
    assert {address for address, _ in early} <= {address for *_, address, _ in RULE.findall(page)}
