#!/usr/bin/env bash
# Check types and import directions on the wheel as users install it: the rooms lie at other paths in the sources.
#   check_wheel.sh VENV
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$PWD/$1/bin
config=$PWD/pyproject.toml
work=$PWD/.cache/wheel
rm -rf "$work/dist" "$work/site"
mkdir -p "$work"
"$bin/python" -m build --wheel --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
"$bin/python" -m pip install --quiet --no-deps --disable-pip-version-check --target "$work/site" "$work"/dist/*.whl
rm -rf build
cd "$work"
# The installed wheel comes before the editable install.
PYTHONPATH=$work/site MYPYPATH=$work/site "$bin/mypy" --config-file "$config" --cache-dir "$work/mypy" -p prefect_worklets
# What a user writes is checked by these types too.
PYTHONPATH=$work/site MYPYPATH=$work/site "$bin/mypy" --config-file "$config" --cache-dir "$work/mypy" "${config%/*}/docs/examples/written_view.py"
PYTHONPATH=$work/site "$bin/lint-imports" --config "$config" --cache-dir "$work/imports"
