import os
import signal
from pathlib import Path

import pytest

from ops.dev import programs

ENVIRON = programs.build_environ({})


def test_a_program_that_ends_is_named_with_its_code_and_the_end_of_its_log(tmp_path: Path) -> None:
    running = programs.start(programs.Program("gateway", ("no-such-command",), 1), ENVIRON, tmp_path)
    with pytest.raises(
        programs.ProgramFailed, match=r"The gateway ended with code 2\.[\s\S]*no-such-command"
    ) as raised:
        programs.wait_until_ready(running)
    assert str(tmp_path / "gateway.log") in str(raised.value)


def test_a_program_that_is_killed_is_named_with_its_signal(tmp_path: Path) -> None:
    running = programs.start(programs.Program("gateway", ("--help",), 1), ENVIRON, tmp_path)
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    with pytest.raises(programs.ProgramFailed, match="The gateway was ended by SIGKILL"):
        running.raise_if_ended()


def test_programs_get_only_the_given_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_DATABASE_URL", "postgresql://admin@db/x")
    seen = programs.build_environ({"PORTAL_PORT": "1"})
    assert {name: value for name, value in seen.items() if name.startswith("PORTAL_")} == {"PORTAL_PORT": "1"}
    assert seen["PATH"] == os.environ["PATH"]
