import os
import subprocess
from pathlib import Path

import pytest

from ops import bootstrap

ROOT = Path(__file__).resolve().parents[2]


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_stamp_changes_with_a_files_content_and_name(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a", encoding="ascii")
    first = bootstrap._compute_digest([one], tmp_path)
    assert bootstrap._compute_digest([one], tmp_path) == first
    one.write_text("b", encoding="ascii")
    assert bootstrap._compute_digest([one], tmp_path) != first
    one.rename(two)
    two.write_text("a", encoding="ascii")
    assert bootstrap._compute_digest([two], tmp_path) != first


def test_assets_are_built_again_when_a_font_file_is_missing(tmp_path: Path) -> None:
    static, fonts = tmp_path / "static", tmp_path / "fonts"
    _script(static / ".vite" / "manifest.json", "{}")
    assert not bootstrap._are_assets_built(static, fonts)
    _script(fonts / "index.json", '[{"family":"Sans","file":"sans.woff2"}]')
    assert not bootstrap._are_assets_built(static, fonts)
    _script(fonts / "sans.woff2", "face")
    assert bootstrap._are_assets_built(static, fonts)
    (static / ".vite" / "manifest.json").unlink()
    assert not bootstrap._are_assets_built(static, fonts)


def test_without_uv_pip_and_a_complete_venv_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = _script(tmp_path / "python3", "#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(bootstrap.SetupFailed, match=r"apt install python3\.\d+-venv"):
        bootstrap.find_uv(state=tmp_path, python=str(bare))


def test_a_uv_on_the_path_is_used_unless_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _script(tmp_path / "bin" / "uv", "#!/bin/sh\necho uv 0.9.1 '(abc 2026-01-01)'\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert bootstrap.find_uv() == str(found)
    assert (
        bootstrap._read_uv_version(str(_script(tmp_path / "old", "#!/bin/sh\necho uv 0.6.17\n")))
        < bootstrap.OLDEST_UV
    )


def test_uv_uses_the_package_index_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "file:///srv/index")
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    environ = bootstrap._build_environ()
    assert environ["UV_DEFAULT_INDEX"] == "file:///srv/index"
    assert "VIRTUAL_ENV" not in environ


def test_the_output_of_a_failed_installer_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(bootstrap.SetupFailed, match="Correct it"):
        bootstrap._run(["/bin/sh", "-c", "echo the disk is full; exit 3"])
    assert "the disk is full" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["demo", "test"])
def test_help_needs_nothing_installed(command: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [ROOT / "ops" / command, "--help"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert process.stdout.startswith(f"usage: ops/{command} ")


def test_without_a_new_enough_python_the_scripts_say_so(tmp_path: Path) -> None:
    for name in ("dirname", "sh"):
        found = next(Path(folder) / name for folder in ("/usr/bin", "/bin") if (Path(folder) / name).exists())
        (tmp_path / name).symlink_to(found)
    script = (ROOT / "ops" / "python.sh").read_text(encoding="utf-8").replace("/usr/bin/python3", "")
    process = subprocess.run(
        ["/bin/sh", "-c", script], check=False, capture_output=True, text=True, env={"PATH": str(tmp_path)}
    )
    assert process.returncode == 1
    assert "Python 3.11 or newer is needed" in process.stderr
