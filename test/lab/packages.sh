#!/bin/bash
# Installs the Debian packages that are missing, for quickstart and test/run:
#   packages.sh [--list] build|servers|tests|browser…
#   packages.sh judges|browser-npm   (the npm packages of test/judges or test/browser, by its lock file, into that folder)
# While it installs, no server that comes with a package is started and no PostgreSQL cluster is made; what was set up
# for that is taken away again on any exit. Servers that run already are left alone. Exit 3: not root and no sudo.
set -u

declare -A groups=(
  [build]="gcc libc6-dev meson ninja-build pkg-config python3 uthash-dev librabbitmq-dev libpq-dev libcurl4-openssl-dev
           libmicrohttpd-dev libgnutls28-dev libexpat1-dev libjson-c-dev libyaml-dev libssl-dev libglib2.0-dev libcmocka-dev tzdata"
  [servers]="postgresql-15 rabbitmq-server python3 python3-psycopg2"
  [tests]="clang libclang-rt-14-dev python3-pytest python3-pytest-xdist python3-psycopg2 procps nodejs npm python3-croniter
          python3-jsonschema python3-yaml kannel kannel-extras tinyproxy libfaketime openssl unixodbc-dev mariadb-server mariadb-client odbc-mariadb libsqliteodbc prometheus"
  [browser]="chromium fonts-dejavu-core nodejs npm"
)
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/smschain-setup.conf
our_mark="# made by smschain's test/lab/packages.sh for the time of an installation"

missing_packages() {
  local p
  for p in "$@"; do
    # Node.js from elsewhere brings npm with it, and Debian's npm cannot be beside it.
    if [[ $p == npm ]] && command -v npm >/dev/null; then continue; fi
    [[ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null)" == ii* ]] || echo "$p"
  done | sort -u
}

# Only what carries our mark is ours to delete: also what a killed installation left behind.
restore() {
  local f
  for f in "$policy" "$no_cluster"; do
    if [[ -f $f ]] && grep -qF "$our_mark" "$f"; then rm -f "$f"; fi
  done
  rmdir --ignore-fail-on-non-empty /etc/postgresql-common/createcluster.d /etc/postgresql-common 2>/dev/null
  return 0
}

hold_servers_back() {
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$our_mark" >"$policy" && chmod 755 "$policy" || return 1
  fi
  mkdir -p "${no_cluster%/*}" && printf '%s\ncreate_main_cluster = false\n' "$our_mark" >"$no_cluster"
}

apt() {
  env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -o DPkg::Lock::Timeout=600 -q "$@"
}

install_as_root() {
  exec 8>/run/lock/smschain-packages.lock && flock 8 || return 1
  trap restore EXIT
  trap 'exit 130' INT TERM HUP
  restore
  hold_servers_back || { echo "packages: cannot write $policy" >&2; return 1; }
  if ! apt install --simulate --no-install-recommends "$@" >/dev/null 2>&1; then
    apt update || return 1
  fi
  if ! apt install -y --no-install-recommends "$@"; then
    apt update && apt install -y --no-install-recommends "$@"
  fi
}

install_npm() { # FOLDER of test/
  local dir
  dir=$(cd "$(dirname "$0")/../$1" && pwd) || return 1
  exec 8>"$dir/.lock" && flock 8 || return 1
  if cmp -s "$dir/package-lock.json" "$dir/node_modules/.installed"; then return 0; fi
  echo "packages: installing the npm packages of test/$1"
  (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund) && cp "$dir/package-lock.json" "$dir/node_modules/.installed"
}

main() {
  local list_only="" names=() missing g
  if [[ ${1-} == judges ]]; then
    install_npm judges
    return
  fi
  if [[ ${1-} == browser-npm ]]; then
    install_npm browser
    return
  fi
  if [[ ${1-} == --as-root ]]; then
    shift
    install_as_root "$@"
    return
  fi
  if [[ ${1-} == --list ]]; then list_only=1; shift; fi
  for g in "$@"; do
    [[ -n ${groups[$g]-} ]] || { echo "packages: no group $g (build, servers, tests, browser)" >&2; return 2; }
    read -r -d '' -a more <<<"${groups[$g]}" || true
    names+=("${more[@]}")
  done
  mapfile -t missing < <(missing_packages "${names[@]}")
  if [[ ${#missing[@]} -eq 0 ]]; then return 0; fi
  if [[ -n $list_only ]]; then printf '%s\n' "${missing[@]}"; return 0; fi
  if ! command -v apt-get >/dev/null; then
    echo "packages: this is no Debian; missing are the likes of: ${missing[*]}" >&2
    return 3
  fi
  echo "packages: installing ${missing[*]}"
  if [[ $(id -u) -eq 0 ]]; then
    bash "$0" --as-root "${missing[@]}"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }; then
    sudo bash "$0" --as-root "${missing[@]}"
  else
    echo "packages: neither root nor sudo. As root, run this and start again:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    return 3
  fi
}

main "$@"
