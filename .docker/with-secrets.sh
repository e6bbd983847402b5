#!/bin/sh
# Runs a command with the secrets named in $SECRETS in its environment: each from the environment (.env), else from
# the file /run/secrets/<NAME>. Refuses to start without: there are no default passwords.
set -eu

for name in ${SECRETS:-}; do
    eval "value=\${$name:-}"
    if [ -z "$value" ] && [ -r "/run/secrets/$name" ]; then
        value=$(cat "/run/secrets/$name")
    fi
    if [ -z "$value" ]; then
        echo "$name is not set. Looked in the environment (.env) and in /run/secrets/$name." >&2
        echo "Make the missing ones: .docker/new-secrets.sh >> .env" >&2
        exit 1
    fi
    export "$name=$value"
done

exec "$@"
