"""Brand images: served from the workspace's own host under the hash of their bytes, and nowhere else."""

from __future__ import annotations

import hashlib
import io
import re
from typing import Any

import pytest
from PIL import Image


async def logo_path(visitor: Any, tenant: Any) -> str:
    found = re.search(r"/brand/[0-9a-f]{64}\.png", (await visitor.ask(tenant.path, tenant.host)).text)
    assert found is not None
    return found[0]


async def test_a_logo_is_a_picture_that_caches_may_hold_for_ever(visitor: Any, acme: Any) -> None:
    path = await logo_path(visitor, acme)
    answer = await visitor.ask(path, acme.host, accept_encoding="gzip")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in answer.headers
    assert Image.open(io.BytesIO(answer.content)).size == (120, 60)
    assert hashlib.sha256(answer.content).hexdigest() in path
    again = await visitor.ask(path, acme.host, if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


async def test_a_logo_of_another_workspace_is_not_found_even_when_it_is_cached(
    portal: Any, tenants: Any, acme: Any
) -> None:
    visitor = portal.visitor()
    path = await logo_path(visitor, acme)
    assert (await visitor.ask(path, acme.host)).status_code == 200
    bolt = await tenants.make(name="Bolt Ltd")
    miss = await visitor.ask(path, bolt.host)
    assert miss.status_code == 404
    assert miss.content == (await visitor.ask(f"/brand/{'0' * 64}.png", bolt.host)).content


@pytest.mark.parametrize(
    "name", ["x.png", "0" * 64, f"{'0' * 64}.PNG", f"{'A' * 64}.png", f"{'0' * 64}.png.html", "%2e%2e", "%00"]
)
async def test_what_is_no_name_of_an_image_is_not_found(visitor: Any, acme: Any, name: str) -> None:
    assert (await visitor.ask(f"/brand/{name}", acme.host)).status_code == 404


async def test_invented_images_are_looked_up_until_there_are_too_many(portal: Any, acme: Any) -> None:
    path = await logo_path(portal.visitor(), acme)
    guesser = portal.visitor()
    misses = [await guesser.ask(f"/brand/{number:064x}.png", acme.host) for number in range(33)]
    assert {(miss.status_code, miss.content) for miss in misses} == {(404, misses[0].content)}
    refused = portal.count(
        "portal_rate_limit_verdicts_total", limit="image_misses", verdict="refused", source="redis"
    )
    assert refused >= 1
    counted = portal.count(
        "portal_rate_limit_verdicts_total", limit="image_misses", verdict="allowed", source="redis"
    )
    assert counted + refused < 33
    # Not even the right one is looked up for this address, unless it is cached already.
    assert (await guesser.ask(path, acme.host)).status_code == 404
    assert (await portal.visitor().ask(path, acme.host)).status_code == 200
    assert (await guesser.ask(path, acme.host)).status_code == 200
