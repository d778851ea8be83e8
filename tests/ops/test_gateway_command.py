import subprocess
import sys
from pathlib import Path

import pytest

from kernel.store.roles import Urls
from ops.dev import programs
from ops.ports import find_free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("role", ["portal_svc", "portal_owner", "postgres"])
def test_the_gateway_starts_as_role_app_only(urls: Urls, redis_url: str, role: str) -> None:
    environ = programs.build_environ(
        {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": urls.app.replace("portal_app", role),
            "PORTAL_REDIS_URL": redis_url,
            "PORTAL_PORT": str(find_free_port()),
            "PORTAL_METRICS_PORT": str(find_free_port()),
        }
    )
    command = [sys.executable, "-m", "ops.cli", "gateway"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True, timeout=60
    )
    words = f"The database URL names the role {role}; portal_app is required."
    assert (done.returncode, done.stderr) == (1, f"{words} [store.wrong_role]\n  role: {role}\n")
