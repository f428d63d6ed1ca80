#!/usr/bin/env bash
# From a fresh clone to a checkout that builds, tests and commits: system packages (where this is root and has apt-get), the
# locked dependencies, and the hooks. May be run again at any time.
#
#     scripts/setup.sh           all of it
#     scripts/setup.sh --check   only tells what is missing; fails if it is something without which nothing goes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/lib/system.sh

if ! node --eval 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
  echo "Node 20.19 or later is needed; there is $(node --version 2>/dev/null || echo none)" >&2
  exit 1
fi
echo "node        $(node --version)"

missing=$(missing_packages)
if [ -z "$missing" ]; then
  echo "system      all there"
elif [ "${1-}" = "--check" ] || ! can_install; then
  # not fatal: most tests run without servers, and SQLite mostly comes built
  echo "system      missing, without which some suites are skipped: $missing"
  echo "            as root: apt-get install $missing"
else
  echo "system      installing $missing"
  # shellcheck disable=SC2086 # one word for each package
  install_packages $missing
fi

if [ "${1-}" = "--check" ]; then
  if [ -d node_modules/effect ]; then echo "packages    there"; else echo "packages    missing: npm ci" && exit 1; fi
  exit 0
fi

if git rev-parse --git-dir >/dev/null 2>&1; then
  npm run setup
else
  # without a repository there is nothing to hook into
  npm ci
fi

echo
echo "Ready. npm run demo shows it at work, npm run test:watch tests what you change, npm run check is every gate."
