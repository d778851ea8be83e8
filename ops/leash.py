"""Starts one program so that it ends with its parent, optionally as another user: run by path, never imported."""

import argparse
import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = (
    1  # <linux/prctl.h>; other systems have no such call, the parent's own cleaning must do there
)


def main() -> None:
    """Drop privileges, ask the kernel for a signal at the parent's death, become the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--user")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if given.user:
        entry = pwd.getpwnam(given.user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        os.environ["HOME"] = "/"
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, given.signal)
        if os.getppid() != given.parent:
            sys.exit("The process that started this one is already gone.")
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    os.execv(command[0], command)  # noqa: S606  -- a program path chosen by our own code, no shell


if __name__ == "__main__":
    main()
