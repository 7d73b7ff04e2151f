#!/usr/bin/env bash
# Make a virtual environment with this project and the named extras in it. Quick when nothing has changed.
#   environment.sh PYTHON VENV EXTRA...
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$1 venv=$2
shift 2
extras=$(IFS=,; echo "$*")

want=$(cat pyproject.toml deploy/install/environment.sh | sha256sum | cut -d' ' -f1)
stamp=$venv/.installed-$(echo "$extras" | tr ',' '-')
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
  exit 0
fi

if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
  echo "Python 3.11 or 3.12 is needed; '$python' is $("$python" --version 2>&1). Say which: make PYTHON=/path/to/python3.11" >&2
  exit 1
fi
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  echo "Making $venv with $("$python" --version)" >&2
  # Debian keeps the venv module in a package of its own; virtualenv does without it.
  if ! "$python" -m venv --clear "$venv" >/dev/null 2>&1; then
    rm -rf "$venv"
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    if ! "$python" -m pip install --quiet --target "$tools" virtualenv; then
      echo "Neither the venv module nor pip works with $python. As root: apt-get install python3-venv" >&2
      exit 1
    fi
    PYTHONPATH=$tools "$python" -m virtualenv --quiet "$venv"
  fi
fi

echo "Installing prefect-worklets[$extras] into $venv (a minute or two the first time)" >&2
installed=no
if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; then
  # uv is fast, but does not read pip's configuration; where the index is set there, pip goes on alone.
  "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --editable ".[$extras]" && installed=yes
fi
if [ "$installed" = no ]; then
  echo "uv could not install it; trying pip" >&2
  "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --editable ".[$extras]"
fi
echo "$want" >"$stamp"
