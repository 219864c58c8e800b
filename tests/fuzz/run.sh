#!/usr/bin/env bash
# Gives hostile bytes to every parser for a stated time, beginning from what the tests hold.
#
#   tests/fuzz/run.sh [TARGET]...      all targets if none is named
#
# FUZZ_SECONDS  for each target, default 60
# FUZZ_DIR      where programs, inputs and findings are kept, default target/fuzz
#
# Needs no nightly compiler: coverage is a pass of LLVM, and the code is all checked, so sanitizers would add little.
# An input that fails stays in FUZZ_DIR/findings; run the program that is named with the file as its argument to see why.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=${FUZZ_SECONDS:-60}
folder=${FUZZ_DIR:-${CARGO_TARGET_DIR:-$root/target}/fuzz}
host=$(rustc -vV | sed -n 's/^host: //p')

coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0"

# --target keeps the flags away from build scripts and macros.
RUSTFLAGS="$coverage" CARGO_TARGET_DIR="$folder/build" \
  cargo build --quiet --release --manifest-path "$here/Cargo.toml" --target "$host"
programs="$folder/build/$host/release"

targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  for path in "$here"/targets/*.rs; do targets+=("$(basename "$path" .rs)"); done
fi

mkdir -p "$folder/findings"
failed=()
for target in "${targets[@]}"; do
  inputs="$folder/inputs/$target"
  mkdir -p "$inputs"
  python3 "$here/seeds.py" "$root" "$target" "$folder/seeds/$target"
  options=(-max_total_time="$seconds" -max_len=8192 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1
    -artifact_prefix="$folder/findings/$target-")
  words="$here/dictionaries/${target%%_*}.dict"
  [ -r "$words" ] && options+=(-dict="$words")
  log="$folder/$target.log"
  if "$programs/$target" "${options[@]}" "$inputs" "$folder/seeds/$target" >"$log" 2>&1; then
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf '%-22s %4s s  %10s executions  clean\n' "$target" "$seconds" "$executions"
  else
    failed+=("$target")
    printf '%-22s FAILED, see %s:\n' "$target" "$log"
    grep -aE 'panicked|Test unit written|ERROR:|^stat::number' -A2 "$log" | head -20
  fi
done
[ "${#failed[@]}" -eq 0 ] || { echo "fuzz: findings in $folder/findings: ${failed[*]}" >&2; exit 1; }
