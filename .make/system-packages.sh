#!/bin/sh
# What the browser tests need from the system: a Chromium and fonts for Chinese. Installed where we may, else said.
set -eu
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="${missing:-} chromium"
fc-list 2>/dev/null | grep -qi 'noto.*cjk' || missing="${missing:-} fonts-noto-cjk fontconfig"
[ -n "${missing:-}" ] || exit 0

run=""
[ "$(id -u)" = 0 ] || run="sudo -n"
if command -v apt-get >/dev/null && { [ -z "$run" ] || $run true 2>/dev/null; }; then
    echo "system packages:$missing"
    $run apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The browser tests need:$missing. Install them (sudo apt-get install$missing); until then they are skipped." >&2
fi
