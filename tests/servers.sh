#!/bin/sh
# Installs the servers that the tests run against, from Debian's packages: where it is root; otherwise it says what
# will be skipped. It starts none of them, and keeps a package from starting its service.
set -eu
missing=""
PATH="$PATH:/usr/sbin"
command -v mosquitto >/dev/null || missing="$missing mosquitto"
command -v mosquitto_sub >/dev/null || missing="$missing mosquitto-clients"
command -v chromium >/dev/null || missing="$missing chromium"
command -v chromedriver >/dev/null || missing="$missing chromium-driver"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$missing postgresql"
command -v gcc >/dev/null || missing="$missing gcc"
command -v make >/dev/null || missing="$missing make"
command -v avr-gcc >/dev/null || missing="$missing gcc-avr"
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
[ -e /usr/lib/avr/include/avr/io.h ] || missing="$missing avr-libc"
[ -e /usr/include/simavr/sim_avr.h ] || missing="$missing libsimavr-dev"
[ -e /usr/include/libelf.h ] || missing="$missing libelf-dev"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "SKIPPED: tests that need:$missing (not root, or no apt). To run them: sudo apt install$missing"
  [ -z "${CI:-}" ] || { echo "CI never skips: run as root, or install them beforehand"; exit 1; }
  exit 0
fi
echo "Installing for the tests:$missing"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
