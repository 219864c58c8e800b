#!/usr/bin/env bash
# The whole thing on this machine: control plane, sidecar, a model provider, an MCP server, and a small agent that makes
# allowed and refused calls. Ends with the summary when there is no terminal or KEEP=0; else stays up with the addresses.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${CRETO_BIN_DIR:-$here/../../target/release}
creto="$bin/creto"
services="$bin/demo_services"
[ -x "$creto" ] && [ -x "$services" ] || { echo "demo: $creto is missing: run 'make run', or set CRETO_BIN_DIR" >&2; exit 1; }

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
if ! "$venv/bin/python" -c 'import mcp, openai, requests' 2>/dev/null; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi

say "a model provider and an MCP server with authorities of their own"
secret="sk-live-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')"
(umask 077 && printf '%s\n' "$secret" >"$work/models.key")
"$services" "$secret" "$work" >"$work/services.log" 2>&1 &
children+=($!)
wait_for "$work/ready.json" "$!" "the services"
port_of() { sed -E "s/.*\"$1\":([0-9]+).*/\1/" "$work/ready.json"; }
models=$(port_of models)
mcp=$(port_of mcp)
sed -e "s/8444/$models/" -e "s/8445/$mcp/" -e "s#/run/secrets/models#$work/models.key#" "$here/policy.toml" \
  >"$work/policy.toml"
echo "models https://localhost:$models, tools https://localhost:$mcp/mcp"

say "creto up: control plane and a sidecar, embedded storage in $CRETO_HOME"
authorities=(--upstream-ca "$work/models.pem" --upstream-ca "$work/mcp.pem")
page=$("$venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print("127.0.0.1:%d" % s.getsockname()[1])')
ports=(--listen 127.0.0.1:0 --proxy-listen 127.0.0.1:0 --admin 127.0.0.1:0 --dashboard-listen "$page")
"$creto" up --agent standing "${authorities[@]}" "${ports[@]}" >"$work/up.out" 2>"$work/up.log" &
children+=($!)
wait_for "$work/up.out" "$!" "creto up"
cat "$work/up.out"

say "creto-control-plane people: an editor, who decides on the page at http://$page"
(umask 077 && head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/editor.password")
"$bin/creto-control-plane" people add --data "$CRETO_HOME/control-plane" --password-file "$work/editor.password" editor

say "creto policy check and explain"
"$creto" policy check "$work/policy.toml"
"$creto" policy explain --method POST --model gpt-4o "https://localhost:$models/v1/chat/completions" \
  "$work/policy.toml"

say "creto run -- python agent.py; meanwhile the editor signs in and approves one call"
"$venv/bin/python" "$here/person.py" "http://$page" editor "$work/editor.password" >"$work/person.out" 2>"$work/person.log" &
person=$!
children+=("$person")
code=0
"$creto" run --replace-env --policy "$work/policy.toml" "${authorities[@]}" --summary "$work/summary.json" \
  -- "$venv/bin/python" "$here/agent.py" "https://localhost:$models" "https://localhost:$mcp/mcp" || code=$?
[ "$code" -eq 0 ] || { echo "demo: the agent's calls did not go as policy says (exit code $code)" >&2; exit 1; }
wait "$person" || { echo "demo: the editor could not approve" >&2; exit 1; }
cat "$work/person.out"

say "creto approvals"
"$creto" approvals list --all

say "creto calls"
"$creto" calls --limit 20

say "creto usage and creto meter: every call is metered once"
"$creto" usage --by model
"$creto" meter query llm.cost --since 1h --by provider,model
"$creto" meter verify

say "summary"
python3 - "$work/summary.json" <<'PYTHON'
import json, sys

summary = json.load(open(sys.argv[1]))
print(f"calls {summary['calls']}, allowed {summary['allowed']}, refused {summary['refused']}, "
      f"{summary['request_bytes']} bytes up, {summary['response_bytes']} bytes down, {summary['duration_ms']} ms")
for row in summary["refused_by"]:
    print(f"  {row['calls']} refused by {row['reason']}")
if summary["allowed"] != 7 or summary["refused"] != 7:
    sys.exit("demo: expected 7 allowed and 7 refused calls on record")
PYTHON

if [ "$keep" != 0 ]; then
  say "staying up; Ctrl-C ends it"
  cat "$work/up.out"
  echo "the page       http://$page (editor, $(cat "$work/editor.password"))"
  echo "the services   https://localhost:$models and https://localhost:$mcp/mcp"
  echo "try            CRETO_HOME=$CRETO_HOME $creto calls --follow"
  wait "${children[1]}"
fi
