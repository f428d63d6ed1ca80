# What a checkout needs of the system beside Node, as "binary:Debian package", and how it is had where that is possible.
# Sourced by scripts/setup.sh, .ci/run and .devcontainer/Dockerfile.

# The first three compile better-sqlite3 where no prebuilt binary of it can be had.
needed=(
  python3:python3
  make:make
  g++:g++
  # servers that suites of stores run against
  redis-server:redis-server
  psql:postgresql
  memcached:memcached
  # a browser, for the page
  chromium:chromium
)

# The packages whose binaries are not there, in one line.
missing_packages() {
  local missing=() one
  for one in "${needed[@]}"; do
    command -v "${one%%:*}" >/dev/null || missing+=("${one#*:}")
  done
  echo "${missing[*]}"
}

can_install() {
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null
}

# Installs packages. Debian would start the servers among them: whoever wants one here starts his own.
install_packages() {
  local policy=/usr/sbin/policy-rc.d made=false code=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=true
  fi
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } || code=$?
  if $made; then rm -f "$policy"; fi
  return $code
}
