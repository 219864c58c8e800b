#!/usr/bin/env bash
# Installs the real programs that tests/clients runs, under ${CRETO_CACHE:-$HOME/.cache/creto}/clients:
#   venv/          Python with the packages of requirements.txt
#   venv-litellm/  Python with the packages of requirements-litellm.txt
#   stubs/         gRPC stubs of the test upstream's service
#   node_modules/  the packages of package-lock.json, Node 24 among them
# Idempotent: does nothing when what is there was made from the same files. Prints the folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
proto=$here/../../tests/support/proto
place=${CRETO_CACHE:-$HOME/.cache/creto}/clients
mkdir -p "$place"
exec 9>"$place/.lock"
flock 9

want=$(cat "$here"/requirements*.txt "$here/package.json" "$here/package-lock.json" "$proto/echo.proto" \
    "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$place/installed" 2>/dev/null || true)" = "$want" ]; then
    echo "$place"
    exit 0
fi
for program in python3 node npm curl git; do
    command -v "$program" >/dev/null || { echo "missing: $program (deploy/setup.sh installs it)" >&2; exit 1; }
done
rm -f "$place/installed"

# make_venv NAME REQUIREMENTS: anew only when the requirements are others.
make_venv() {
    local want
    want=$(sha256sum <"$here/$2")
    [ "$(cat "$place/$1/made-from" 2>/dev/null || true)" != "$want" ] || return 0
    rm -rf "${place:?}/$1"
    python3 -m venv "$place/$1"
    "$place/$1/bin/pip" install --quiet --disable-pip-version-check -r "$here/$2" >&2
    echo "$want" >"$place/$1/made-from"
}
make_venv venv requirements.txt
make_venv venv-litellm requirements-litellm.txt
rm -rf "$place/stubs"
mkdir -p "$place/stubs"
"$place/venv/bin/python" -m grpc_tools.protoc -I "$proto" --python_out="$place/stubs" \
    --grpc_python_out="$place/stubs" "$proto/echo.proto"

cp "$here/package.json" "$here/package-lock.json" "$place/"
npm ci --prefix "$place" --silent --no-audit --no-fund --ignore-scripts >&2
"$place"/node_modules/node-linux-*/bin/node --version >/dev/null

echo "$want" >"$place/installed"
echo "$place"
