#!/bin/sh
# Prints a random value for every secret of docker-compose.yml that .env does not have yet: .docker/new-secrets.sh >> .env
set -eu
cd "$(dirname "$0")/.."

new() {
    if ! grep -qs "^$1=." .env; then
        echo "$1=$2"
    fi
}

hex() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

for name in KEFU_WAREHOUSE_PASSWORD KEFU_LOADER_PASSWORD KEFU_TRANSFORMER_PASSWORD KEFU_ANALYST_PASSWORD \
    KEFU_DASHBOARD_PASSWORD AIRFLOW_DATABASE_PASSWORD AIRFLOW_ADMIN_PASSWORD AIRFLOW_SECRET_KEY \
    SUPERSET_DATABASE_PASSWORD SUPERSET_ADMIN_PASSWORD SUPERSET_EXECUTIVE_PASSWORD SUPERSET_ANALYST_PASSWORD \
    SUPERSET_SECRET_KEY REDIS_PASSWORD; do
    new "$name" "$(hex)"
done
# Airflow's own form: 32 bytes in URL-safe base64.
new AIRFLOW_FERNET_KEY "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
