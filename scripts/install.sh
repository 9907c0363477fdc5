# Sourced by scripts/test: system packages by whatever package manager there is.

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() { # debian-names
  if command -v apt-get >/dev/null; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null ||
      { as_root apt-get update >/dev/null && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null; }
  elif command -v dnf >/dev/null; then as_root dnf install -y gcc python3 nodejs npm
  elif command -v pacman >/dev/null; then as_root pacman -S --noconfirm --needed gcc python nodejs npm
  elif command -v apk >/dev/null; then as_root apk add gcc musl-dev python3 nodejs npm
  elif command -v brew >/dev/null; then brew install python node
  else echo "scripts/test: no known package manager; please install: $*" >&2
  fi
}

command -v cc >/dev/null || install_packages gcc libc6-dev
command -v bwrap >/dev/null || [ "$(uname)" != Linux ] || install_packages bubblewrap
command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3 python3-venv
command -v npm >/dev/null || install_packages nodejs npm
if ! command -v cargo >/dev/null; then
  echo "scripts/test: cargo is missing; install Rust 1.92 or newer from https://rustup.rs" >&2
  exit 1
fi
