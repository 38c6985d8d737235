#!/usr/bin/env bash
# Puts what package-lock.json names into build/browser, once: the only download that a test may make. No browser comes with it.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
installed=../../build/browser

if [[ -d $installed/node_modules ]] && cmp -s package-lock.json "$installed/package-lock.json"; then exit 0; fi
mkdir -p "$installed"
cp package.json .npmrc "$installed"
rm -f "$installed/package-lock.json" # there again when everything else is
cp package-lock.json "$installed/package-lock.json.new"
cd "$installed"
mv package-lock.json.new package-lock.json
npm ci --ignore-scripts --no-audit --no-fund || { rm -f package-lock.json; exit 1; }
