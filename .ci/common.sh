# What the scripts of this folder share; sourced by them.
# shellcheck shell=bash

fail() { printf '!!! %s\n' "$*" >&2; exit 1; }
note() { printf '    %s\n' "$*"; }

# apt_install PACKAGE…: as root, or through a sudo that asks for no password.
apt_install() {
  command -v apt-get >/dev/null || return 1
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || return 1
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" || return 1
}

# stamp FILE…: changes when one of the files does.
stamp() { cat "$@" | sha256sum | cut -d' ' -f1; }
