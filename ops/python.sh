# Sourced: finds a Python that is new enough, or says in plain words what to do.
python=
for candidate in python3 python3.13 python3.12 python3.14 python3.11 python /usr/bin/python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is needed and none was found on PATH." >&2
  echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python) and try again." >&2
  exit 1
fi
