#!/usr/bin/env bash
# npm_ci.sh FROM TO: puts what FROM/package-lock.json names into TO, once: the only download that a test may make, and
# none of those that ./run test makes unasked.
set -euo pipefail
from=$1 to=$2

if [[ -d $to/node_modules ]] && cmp -s "$from/package-lock.json" "$to/package-lock.json"; then exit 0; fi
mkdir -p "$to"
cp "$from/package.json" "$from/.npmrc" "$to"
rm -f "$to/package-lock.json" # there again when everything else is
cp "$from/package-lock.json" "$to/package-lock.json.new"
cd "$to"
mv package-lock.json.new package-lock.json
npm ci --ignore-scripts --no-audit --no-fund || { rm -f package-lock.json; exit 1; }
