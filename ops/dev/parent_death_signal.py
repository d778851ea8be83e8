"""Runs a program that gets a signal when its parent dies, optionally as another user: run by path, not imported."""

import argparse
import ctypes
import os
import pwd
import signal
import sys

# <linux/prctl.h>. Other systems have no such call: there the parent must stop its children itself.
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Drop privileges, ask the kernel for a signal at the parent's death, execute the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--user")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.user:
        entry = pwd.getpwnam(options.user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        os.environ["HOME"] = "/"
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, options.signal)
        # The parent may have died before the call.
        if os.getppid() != options.parent:
            sys.exit("The parent process has already ended.")
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    os.execv(command[0], command)  # noqa: S606  -- a program path chosen by our own code, no shell


if __name__ == "__main__":
    main()
