from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kernel.store.roles import Urls


@pytest.fixture
async def healthy(scratch: Callable[..., Awaitable[Urls]], redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of an installation of its own that has nothing wrong."""
    urls = await scratch(migrated=True)
    return {
        "PORTAL_PROFILE": "test",
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_DATABASE_OWNER_URL": urls.owner,
        "PORTAL_DATABASE_SVC_URL": urls.svc,
        "PORTAL_REDIS_URL": redis_url,
        "PORTAL_BLOBS_URL": str(tmp_path / "blobs"),
        "PORTAL_TRUSTED_PROXIES": "10.0.0.0/8",
    }
