#!/bin/sh
# Puts the installer (uv) into .venv/tools, with nothing but a Python 3.11. On Debian and Ubuntu the module venv is a
# package of its own; where it is missing, pip or (as root) apt-get helps out.
set -eu
python=$1
tools=.venv/tools

"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || {
    echo "Kefu needs Python 3.11; '$python' is $("$python" --version 2>&1 || echo 'not there')." >&2
    echo "Install it (Debian 12: apt-get install python3; Ubuntu: python3.11), or say: make PYTHON=/path/to/python3.11" >&2
    exit 1
}

[ -x "$tools/bin/uv" ] && exit 0
rm -rf "$tools"
mkdir -p .venv
if ! "$python" -m venv "$tools" >/dev/null 2>&1; then
    rm -rf "$tools"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing python3-venv (Debian and Ubuntu ship it apart from Python)"
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "python$version-venv" >/dev/null || apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
        "$python" -m venv "$tools"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m pip install -q --target "$tools" uv
        exit 0
    else
        echo "Python's module venv is missing. Install it: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
"$tools/bin/python" -m pip install -q uv
