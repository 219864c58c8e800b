#!/usr/bin/env bash
# The whole thing on this machine: control plane, sidecar, an HTTPS server, and a small agent that makes allowed and
# refused calls. Ends with the summary when there is no terminal or KEEP=0; else stays up with the addresses.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${CRETO_BIN_DIR:-$here/../../target/release}
creto="$bin/creto"
[ -x "$creto" ] || { echo "demo: $creto is missing: run 'make run', or set CRETO_BIN_DIR" >&2; exit 1; }

keep=${KEEP:-}
if [ -z "$keep" ]; then
  if [ -t 0 ] && [ -t 1 ]; then keep=1; else keep=0; fi
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/creto-demo.XXXXXX")
export CRETO_HOME="$work/home"
# The demo is one control plane in one home, whatever the shell around it is set up for.
unset CRETO_DATA CRETO_CONTROL_PLANE CRETO_CONTROL_PLANE_CA CRETO_TOKEN_FILE CRETO_NAMESPACE CRETO_JSON CRETO_AGENT CRETO_POLICY

children=()
finish() {
  local code=$?
  trap - EXIT INT TERM
  for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || true; done
  # 130 and 143: somebody ended it.
  if [ "$code" -ne 0 ] && [ "$code" -ne 130 ] && [ "$code" -ne 143 ]; then
    echo "demo: failed; its logs:" >&2
    find "$work" -name '*.log' -exec tail -n 20 {} + >&2 || true
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# wait_for FILE PID WHAT: until the file has something in it.
wait_for() {
  for _ in $(seq 1 600); do
    [ -s "$1" ] && return 0
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  echo "demo: $3 did not start" >&2
  return 1
}

say() { printf '\n== %s\n' "$*"; }

say "preparing the agent's Python (once)"
venv="${CRETO_CACHE:-$HOME/.cache/creto}/demo-venv"
if ! "$venv/bin/python" -c 'import requests' 2>/dev/null; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check requests
fi

say "an HTTPS server with an authority of its own"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=demo authority" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
  -keyout "$work/authority.key" -out "$work/authority.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
  -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
openssl x509 -req -in "$work/server.csr" -CA "$work/authority.pem" -CAkey "$work/authority.key" -CAcreateserial \
  -days 2 -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n') \
  -out "$work/server.pem" 2>/dev/null
python3 "$here/upstream.py" "$work/server.pem" "$work/server.key" "$work/port" >"$work/upstream.log" 2>&1 &
children+=($!)
wait_for "$work/port" "$!" "the server"
port=$(cat "$work/port")
sed "s/8444/$port/" "$here/policy.toml" >"$work/policy.toml"
echo "https://localhost:$port"

say "creto up: control plane and a sidecar, embedded storage in $CRETO_HOME"
ports=(--listen 127.0.0.1:0 --proxy-listen 127.0.0.1:0 --admin 127.0.0.1:0)
"$creto" up --agent standing --upstream-ca "$work/authority.pem" "${ports[@]}" >"$work/up.out" 2>"$work/up.log" &
children+=($!)
wait_for "$work/up.out" "$!" "creto up"
cat "$work/up.out"

say "creto policy check and explain"
"$creto" policy check "$work/policy.toml"
"$creto" policy explain --method DELETE "https://localhost:$port/articles/42" "$work/policy.toml"

say "creto run -- python agent.py"
code=0
"$creto" run --replace-env --policy "$work/policy.toml" --upstream-ca "$work/authority.pem" --summary "$work/summary.json" \
  -- "$venv/bin/python" "$here/agent.py" "https://localhost:$port" || code=$?
[ "$code" -eq 0 ] || { echo "demo: the agent's calls did not go as policy says (exit code $code)" >&2; exit 1; }

say "creto calls"
"$creto" calls --limit 20

say "summary"
python3 - "$work/summary.json" <<'PYTHON'
import json, sys

summary = json.load(open(sys.argv[1]))
print(f"calls {summary['calls']}, allowed {summary['allowed']}, refused {summary['refused']}, "
      f"{summary['request_bytes']} bytes up, {summary['response_bytes']} bytes down, {summary['duration_ms']} ms")
for row in summary["refused_by"]:
    print(f"  {row['calls']} refused by {row['reason']}")
if summary["allowed"] != 4 or summary["refused"] != 4:
    sys.exit("demo: expected 4 allowed and 4 refused calls on record")
PYTHON

if [ "$keep" != 0 ]; then
  say "staying up; Ctrl-C ends it"
  cat "$work/up.out"
  echo "the server     https://localhost:$port"
  echo "try            CRETO_HOME=$CRETO_HOME $creto calls --follow"
  wait "${children[1]}"
fi
