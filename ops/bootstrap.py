"""Sets up the checkout with the standard library alone, then runs the demo or the tests."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".portal"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
ASSETS = ROOT / "web" / "assets"
COMMANDS = {"demo": "ops.dev.demo", "test": "ops.dev.checks"}
STATIC = ROOT / "web" / "static"
FONTS = ROOT / "tenants" / "invoices" / "document" / "fonts"
OLDEST_UV = (0, 7)
# Web assets besides web/assets itself: the invoice's own style sheet lives with its template.
STYLES = ("tenants/**/*.css",)


class SetupFailed(Exception):
    """The set-up failed; the message says what to do."""


def main(arguments: Sequence[str]) -> None:
    """Set up for the command `arguments[0]` (demo, test or setup), then run it with the other arguments."""
    command_name, *rest = arguments or ["setup"]
    if set(rest) & {"-h", "--help"}:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", COMMANDS[command_name], "--help"])  # noqa: S606
    try:
        with _lock_setup():
            prepare_environment()
            prepare_assets()
    except SetupFailed as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The next run continues the set-up.")
    if command_name in COMMANDS:
        _execute([str(PYTHON), "-m", COMMANDS[command_name], *rest])


def prepare_environment() -> None:
    """Make .venv hold exactly what requirements.lock pins, and this project itself in editable form."""
    stamp = VENV / "portal-stamp.json"
    expected = {"root": str(ROOT), "lock": _compute_digest([LOCK, ROOT / "pyproject.toml"])}
    stamped = _read_stamp(stamp)
    if stamped == expected and PYTHON.exists():
        return
    uv = find_uv()
    if stamped.get("root") != expected["root"] or not PYTHON.exists():
        with _step("Creating the Python environment .venv"):
            _run([uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(VENV)])
    python = ["--python", str(PYTHON)]
    with _step("Installing the locked packages (the first time, about a minute)"):
        _run([uv, "pip", "sync", *python, "--require-hashes", str(LOCK)])
        editable = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        _run([uv, "pip", "install", "--quiet", *python, *editable])
    _write_stamp(stamp, expected)


def prepare_assets() -> None:
    """Install the locked npm packages and build scripts and styles, when their sources have changed."""
    if not (ASSETS / "package.json").exists():
        return
    stamp = STATE / "assets-stamp.json"
    packages = _compute_digest([ASSETS / "package.json", ASSETS / "package-lock.json"])
    expected = {"root": str(ROOT), "packages": packages, "sources": _compute_digest(_list_asset_sources())}
    stamped = _read_stamp(stamp)
    installed = (ASSETS / "node_modules").is_dir() and stamped.get("packages") == packages
    if stamped == expected and installed and _are_assets_built():
        return
    environ = _build_environ() | {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    hint = "The assets could not be built; the output above says why. Correct it and run this again."
    if not installed:
        with _step("Installing the locked npm packages"):
            command = [str(VENV / "bin" / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            _run(command, cwd=ASSETS, environ=environ, hint=hint)
        _write_stamp(stamp, {"packages": packages})
    with _step("Building scripts, styles and fonts"):
        build = [str(VENV / "bin" / "npx"), "--no", "vite", "build", "--outDir", str(STATIC), "--emptyOutDir"]
        _run(build, cwd=ASSETS, environ=environ, hint=hint)
        if not _are_assets_built():
            raise SetupFailed(hint)
    _write_stamp(stamp, expected)


def find_uv(*, state: Path = STATE, python: str = sys.executable) -> str:
    """Return the path of uv: one on PATH, one installed here before, or the pinned one, installed now."""
    if (on_path := shutil.which("uv")) and _read_uv_version(on_path) >= OLDEST_UV:
        return on_path
    own = state / "uv" / "bin" / "uv"
    if own.exists() and _read_uv_version(str(own)) >= OLDEST_UV:
        return str(own)
    with _step("Installing uv"):
        shutil.rmtree(state / "uv", ignore_errors=True)
        _run(
            [
                *(_find_pip(python) or _install_pip(python, state / "pip")),
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--target",
                str(state / "uv"),
                "--requirement",
                str(ROOT / "ops" / "installer.lock"),
            ],
            environ=_build_environ() | {"PIP_USER": "0"},
        )
    return str(own)


def _find_pip(python: str) -> list[str] | None:
    command = [python, "-m", "pip"]
    return command if _read_output([*command, "--version"]) is not None else None


def _install_pip(python: str, folder: Path) -> list[str]:
    if _read_output([python, "-m", "venv", "--clear", str(folder)]) is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        message = (
            f"{python} has neither pip nor a complete venv, and uv is not on PATH.\n"
            "One of the three is needed to install the rest. Install it and run this again, for example:\n"
            f"  Debian, Ubuntu:  apt install python{version}-venv   (or python3-pip)\n"
            "  Fedora:          dnf install python3-pip"
        )
        raise SetupFailed(message)
    return [str(folder / "bin" / "python"), "-m", "pip"]


def _read_uv_version(uv: str) -> tuple[int, int]:
    words = (_read_output([uv, "--version"]) or "uv 0.0").split()
    try:
        major, minor, *_ = words[1].split(".")
        return int(major), int(minor)
    except (IndexError, ValueError):
        return 0, 0


def _build_environ() -> dict[str, str]:
    """Return the environment of the installers: no activated environment, and pip's index and certificates for all."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "NODE_OPTIONS", "NODE_ENV"}
    }
    aliases = (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
        ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"),
    )
    for pip_name, other_name in aliases:
        if pip_name in environ:
            environ.setdefault(other_name, environ[pip_name])
    return environ


def _run(
    command: Sequence[str],
    *,
    cwd: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    hint: str = "The command failed; the output above says why. Correct it (is the network there?) and run this again.",
) -> None:
    process = subprocess.run(
        command,
        cwd=cwd,
        env=environ or _build_environ(),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if process.returncode != 0:
        print(f"\n$ {' '.join(command)}\n{process.stdout}", file=sys.stderr)
        raise SetupFailed(hint)


def _read_output(command: Sequence[str]) -> str | None:
    """Return what the command prints, or None when it fails or does not exist."""
    try:
        process = subprocess.run(command, check=False, capture_output=True, text=True, env=_build_environ())
    except OSError:
        return None
    return process.stdout if process.returncode == 0 else None


def _are_assets_built(static: Path = STATIC, fonts: Path = FONTS) -> bool:
    """Whether scripts, styles and every font file of the PDFs exist."""
    try:
        faces = json.loads((fonts / "index.json").read_bytes())
    except (OSError, ValueError):
        return False
    return (static / ".vite" / "manifest.json").exists() and all(
        (fonts / face["file"]).exists() for face in faces
    )


def _list_asset_sources() -> list[Path]:
    sources = [
        path
        for path in ASSETS.rglob("*")
        if path.is_file() and not {"node_modules", "dist"} & set(path.relative_to(ASSETS).parts)
    ]
    return sources + [path for pattern in STYLES for path in ROOT.glob(pattern)]


def _compute_digest(paths: Sequence[Path], root: Path = ROOT) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _read_stamp(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _write_stamp(path: Path, stamp: Mapping[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(stamp), encoding="utf-8")


@contextlib.contextmanager
def _lock_setup() -> Iterator[None]:
    """Wait for another set-up of this folder: two at once would overwrite each other's files."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another command is setting this folder up; waiting for it …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _step(title: str) -> Iterator[None]:
    print(f"· {title} …", end="", flush=True)
    started_at = time.monotonic()
    yield
    print(f" {time.monotonic() - started_at:.1f} s", flush=True)


def _execute(command: Sequence[str]) -> None:
    sys.stdout.flush()
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    environ["VIRTUAL_ENV"] = str(VENV)
    environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.execve(command[0], list(command), environ)  # noqa: S606  -- no shell is meant


if __name__ == "__main__":
    main(sys.argv[1:])
