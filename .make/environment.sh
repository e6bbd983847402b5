#!/bin/sh
# Installs one locked environment: environment.sh PYTHON NAME LOCK. The locks hold hashes and no address; the override
# leaves out a package of dbt's that nothing uses and that cannot be built without the network (see docs/adr).
set -eu
python=$1 name=$2 lock=$3
unset PYTHONDONTWRITEBYTECODE # compiled once here, not at every start of every process
override=$(mktemp)
trap 'rm -f "$override"' EXIT
echo 'dbt-core-experimental-parser ; sys_platform == "never"' >"$override"

echo "environment $name: installing $(grep -c '^[a-z0-9]' ".locks/$lock.txt") packages"
[ -x ".venv/$name/bin/python" ] || .venv/tools/bin/uv venv -q --python "$python" ".venv/$name"
.venv/tools/bin/uv pip install -q --python ".venv/$name/bin/python" --require-hashes --override "$override" \
    --compile-bytecode -r ".locks/$lock.txt"
