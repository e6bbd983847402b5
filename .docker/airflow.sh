#!/bin/sh
# One part of Airflow: airflow.sh prepare | api-server | scheduler | dag-processor | triggerer | worker
set -eu

export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://airflow:$AIRFLOW_DATABASE_PASSWORD@postgres:5432/airflow"
export AIRFLOW__CELERY__RESULT_BACKEND="db+postgresql://airflow:$AIRFLOW_DATABASE_PASSWORD@postgres:5432/airflow"
export AIRFLOW__CELERY__BROKER_URL="redis://:$REDIS_PASSWORD@redis:6379/0"
export AIRFLOW__CORE__FERNET_KEY="$AIRFLOW_FERNET_KEY"
export AIRFLOW__API__SECRET_KEY="$AIRFLOW_SECRET_KEY"
export AIRFLOW__API_AUTH__JWT_SECRET="$AIRFLOW_SECRET_KEY"
export SUPERSET_PASSWORD="$SUPERSET_ADMIN_PASSWORD"

umask 077
mkdir -p "$AIRFLOW_HOME"
printf '{"admin": "%s"}' "$AIRFLOW_ADMIN_PASSWORD" > "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"

case "$1" in
    prepare) exec airflow db migrate ;;
    worker) exec airflow celery worker ;;
    check-worker) exec celery --app airflow.providers.celery.executors.celery_executor.app inspect ping \
        --destination "celery@$(hostname)" ;;
    check-job) exec airflow jobs check --local --job-type "$2" ;;
    *) exec airflow "$@" ;;
esac
