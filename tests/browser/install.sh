#!/usr/bin/env bash
# Installs what drives Chromium, under ${CRETO_CACHE:-$HOME/.cache/creto}/browser. Chromium itself is the system's
# (deploy/setup.sh test). Does nothing when what is there was made from the same files. Prints the folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/programs
place=${CRETO_CACHE:-$HOME/.cache/creto}/browser
mkdir -p "$place"
exec 9>"$place/.lock"
flock 9

for program in node npm chromium; do
    command -v "$program" >/dev/null || { echo "missing: $program (deploy/setup.sh test installs it)" >&2; exit 1; }
done
want=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$place/installed" 2>/dev/null || true)" != "$want" ]; then
    rm -f "$place/installed"
    cp "$here/package.json" "$here/package-lock.json" "$place/"
    npm ci --prefix "$place" --silent --no-audit --no-fund --ignore-scripts >&2
    echo "$want" >"$place/installed"
fi
echo "$place"
