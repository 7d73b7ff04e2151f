#!/usr/bin/env bash
# Make sure that a Chromium for the browser tests is there, and say where in .cache/chromium.path.
# Root installs Debian's package; others unpack the same packages into .cache/.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .cache
note=.cache/chromium.path

works() { [ -n "$1" ] && [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }
keep() { echo "$1" >"$note"; exit 0; }

works "${WORKLETS_CHROMIUM:-}" && keep "$WORKLETS_CHROMIUM"
works "$(cat $note 2>/dev/null)" && exit 0
for name in chromium chromium-browser google-chrome-stable google-chrome; do
  found=$(command -v "$name" || true)
  works "$found" && keep "$found"
done

command -v apt-get >/dev/null || { echo "No Chromium is installed; install one, or set WORKLETS_CHROMIUM to its path." >&2; exit 1; }
packages=(chromium fonts-dejavu-core)
as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi
if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
  echo "Installing Debian's chromium" >&2
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  keep "$(command -v chromium)"
fi

echo "Unpacking Debian's chromium into .cache/ (not root)" >&2
root=$PWD/.cache/chromium
mkdir -p "$root"/{lists/partial,archives/partial,files}
apt=(apt-get -qq -o "Dir::State::Lists=$root/lists" -o "Dir::Cache=$root" -o "Dir::Cache::archives=$root/archives"
     -o Debug::NoLocking=true -o APT::Sandbox::User= -o APT::Install-Recommends=false)
"${apt[@]}" update
# What is installed counts as there; only what is missing is fetched.
"${apt[@]}" install -y --download-only "${packages[@]}" >/dev/null
for deb in "$root"/archives/*.deb; do dpkg -x "$deb" "$root/files"; done
# Some libraries lie in a folder of their own (libpulsecommon does), which a package's set-up would have made known.
libraries=$(find "$root/files" -path '*-linux-gnu/*' -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd:)
# A machine without a desktop has no set-up of fonts either.
cat >"$root/fonts.conf" <<EOF
<?xml version="1.0"?>
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>$root/files/usr/share/fonts</dir>
  <cachedir>$root/fontcache</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
EOF
cat >"$root/chromium" <<EOF
#!/bin/sh
export LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export FONTCONFIG_FILE="$root/fonts.conf"
exec "$root/files/usr/lib/chromium/chromium" --no-sandbox "\$@"
EOF
chmod +x "$root/chromium"
works "$root/chromium" || { echo "The unpacked Chromium does not start; as root: apt-get install chromium" >&2; "$root/chromium" --version; exit 1; }
rm -rf "$root/archives"
keep "$root/chromium"
