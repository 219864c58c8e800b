#!/usr/bin/env bash
# Installs this package with what generates its code into a virtual environment under
# ${CRETO_CACHE:-$HOME/.cache/creto}/sdk-python. Idempotent: does nothing when the sources are the same. Prints the
# environment's python.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
place=${CRETO_CACHE:-$HOME/.cache/creto}/sdk-python
mkdir -p "$place"
exec 9>"$place/.lock"
flock 9

want=$(cd "$here" && { echo "$here"; find pyproject.toml README.md src tests/install.sh -type f -not -path '*/__pycache__/*' \
    -not -path '*.egg-info/*' -print0 | sort -z | xargs -0 sha256sum; } | sha256sum | cut -d' ' -f1)
if [ "$(cat "$place/installed" 2>/dev/null || true)" != "$want" ]; then
    rm -rf "$place/installed" "$place/source"
    [ -x "$place/venv/bin/python" ] || python3 -m venv "$place/venv"
    # From a copy: building leaves files beside the sources.
    cp -r "$here" "$place/source"
    "$place/venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps "$place/source" >&2
    "$place/venv/bin/pip" install --quiet --disable-pip-version-check "$place/source[generate]" >&2
    echo "$want" >"$place/installed"
fi
echo "$place/venv/bin/python"
