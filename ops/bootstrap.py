"""Sets the checkout up with nothing but the standard library, then hands over to the demo or the checks."""

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
GOALS = {"demo": "ops.demo", "test": "ops.suite"}
STATIC = ROOT / "web" / "static"
FONTS = ROOT / "tenants" / "invoices" / "document" / "fonts"
OLDEST_UV = (0, 7)
# Web assets besides web/assets itself: the invoice's own style sheet lives with its template.
STYLES = ("tenants/**/*.css",)


class SetupFailed(Exception):
    """Something that the person at the keyboard can cure; the message says how."""


def main(arguments: Sequence[str]) -> None:
    """Prepare everything for ``arguments[0]`` (demo, test or setup), then become it with the other arguments."""
    goal, *rest = arguments or ["setup"]
    if set(rest) & {"-h", "--help"}:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", GOALS[goal], "--help"])  # noqa: S606
    try:
        with _alone():
            prepare_environment()
            prepare_assets()
    except SetupFailed as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. Nothing is left behind that the next run would not mend.")
    if goal in GOALS:
        _become([str(PYTHON), "-m", GOALS[goal], *rest])


def prepare_environment() -> None:
    """Make .venv hold exactly what requirements.lock pins, and this project itself in editable form."""
    stamp = VENV / "portal-stamp.json"
    wanted = {"root": str(ROOT), "lock": _digest([LOCK, ROOT / "pyproject.toml"])}
    found = _read_stamp(stamp)
    if found == wanted and PYTHON.exists():
        return
    uv = find_uv()
    if found.get("root") != wanted["root"] or not PYTHON.exists():
        with _step("Making the Python environment .venv"):
            _run([uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(VENV)])
    python = ["--python", str(PYTHON)]
    with _step("Installing the locked packages (the first time, about a minute)"):
        _run([uv, "pip", "sync", *python, "--require-hashes", str(LOCK)])
        editable = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        _run([uv, "pip", "install", "--quiet", *python, *editable])
    _write_stamp(stamp, wanted)


def prepare_assets() -> None:
    """Install the locked npm packages and build scripts and styles, when their sources have changed."""
    if not (ASSETS / "package.json").exists():
        return
    stamp = STATE / "assets-stamp.json"
    packages = _digest([ASSETS / "package.json", ASSETS / "package-lock.json"])
    wanted = {"root": str(ROOT), "packages": packages, "sources": _digest(_asset_sources())}
    found = _read_stamp(stamp)
    installed = (ASSETS / "node_modules").is_dir() and found.get("packages") == packages
    if found == wanted and installed and _built():
        return
    environ = _environ() | {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    cure = "The assets could not be built; the output above says why. Mend it and run this again."
    if not installed:
        with _step("Installing the locked npm packages"):
            command = [str(VENV / "bin" / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            _run(command, cwd=ASSETS, environ=environ, cure=cure)
        _write_stamp(stamp, {"packages": packages})
    with _step("Building scripts, styles and fonts"):
        build = [str(VENV / "bin" / "npx"), "--no", "vite", "build", "--outDir", str(STATIC), "--emptyOutDir"]
        _run(build, cwd=ASSETS, environ=environ, cure=cure)
        if not _built():
            raise SetupFailed(cure)
    _write_stamp(stamp, wanted)


def find_uv(*, state: Path = STATE, python: str = sys.executable) -> str:
    """Return the path of uv: one on PATH, one installed here before, or the pinned one, installed now."""
    if (on_path := shutil.which("uv")) and _uv_version(on_path) >= OLDEST_UV:
        return on_path
    own = state / "uv" / "bin" / "uv"
    if own.exists() and _uv_version(str(own)) >= OLDEST_UV:
        return str(own)
    with _step("Installing uv"):
        shutil.rmtree(state / "uv", ignore_errors=True)
        _run(
            [
                *(_pip(python) or _pip_of_a_new_environment(python, state / "pip")),
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
            environ=_environ() | {"PIP_USER": "0"},
        )
    return str(own)


def _pip(python: str) -> list[str] | None:
    command = [python, "-m", "pip"]
    return command if _quietly([*command, "--version"]) is not None else None


def _pip_of_a_new_environment(python: str, folder: Path) -> list[str]:
    if _quietly([python, "-m", "venv", "--clear", str(folder)]) is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        message = (
            f"{python} has neither pip nor a complete venv, and uv is not on PATH.\n"
            "One of the three is needed to install the rest. Install it and run this again, for example:\n"
            f"  Debian, Ubuntu:  apt install python{version}-venv   (or python3-pip)\n"
            "  Fedora:          dnf install python3-pip"
        )
        raise SetupFailed(message)
    return [str(folder / "bin" / "python"), "-m", "pip"]


def _uv_version(uv: str) -> tuple[int, int]:
    words = (_quietly([uv, "--version"]) or "uv 0.0").split()
    try:
        major, minor, *_ = words[1].split(".")
        return int(major), int(minor)
    except (IndexError, ValueError):
        return 0, 0


def _environ() -> dict[str, str]:
    """Return the environment for the installers: nothing of an activated environment, pip's index for uv as well."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "NODE_OPTIONS", "NODE_ENV"}
    }
    # Where pip needs another index or a private authority, so do uv and npm.
    same = (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
        ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"),
    )
    for theirs, ours in same:
        if theirs in environ:
            environ.setdefault(ours, environ[theirs])
    return environ


def _run(
    command: Sequence[str],
    *,
    cwd: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    cure: str = "That did not work; the output above says why. Mend it (is the network there?) and run this again.",
) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ or _environ(),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        print(f"\n$ {' '.join(command)}\n{done.stdout}", file=sys.stderr)
        raise SetupFailed(cure)


def _quietly(command: Sequence[str]) -> str | None:
    """Return what the command prints, or None when it fails or does not exist."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=_environ())
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _built(static: Path = STATIC, fonts: Path = FONTS) -> bool:
    """Whether scripts and styles are there, and each of the faces that go into PDFs."""
    try:
        faces = json.loads((fonts / "index.json").read_bytes())
    except (OSError, ValueError):
        return False
    return (static / ".vite" / "manifest.json").exists() and all(
        (fonts / face["file"]).exists() for face in faces
    )


def _asset_sources() -> list[Path]:
    own = [
        path
        for path in ASSETS.rglob("*")
        if path.is_file() and not {"node_modules", "dist"} & set(path.relative_to(ASSETS).parts)
    ]
    return own + [path for pattern in STYLES for path in ROOT.glob(pattern)]


def _digest(paths: Sequence[Path], root: Path = ROOT) -> str:
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
def _alone() -> Iterator[None]:
    """Two commands started at once must not install over each other."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another command is setting this folder up; waiting for it …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _step(words: str) -> Iterator[None]:
    print(f"· {words} …", end="", flush=True)
    started = time.monotonic()
    yield
    print(f" {time.monotonic() - started:.1f} s", flush=True)


def _become(command: Sequence[str]) -> None:
    sys.stdout.flush()
    environ = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    environ["VIRTUAL_ENV"] = str(VENV)
    environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.execve(command[0], list(command), environ)  # noqa: S606  -- no shell is meant


if __name__ == "__main__":
    main(sys.argv[1:])
