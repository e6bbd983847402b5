#!/bin/sh
# One part of Superset: superset.sh prepare | web | worker | beat
set -eu

export KEFU_SUPERSET_DATABASE="postgresql+psycopg2://superset:$SUPERSET_DATABASE_PASSWORD@postgres:5432/superset"
export KEFU_SUPERSET_REDIS="redis://:$REDIS_PASSWORD@redis:6379/1"
export KEFU_SUPERSET_SECRET_KEY="$SUPERSET_SECRET_KEY"

user() {
    printf '{"name": "%s", "role": "%s", "password": "%s"}' "$1" "$2" "$3"
}

case "$1" in
    prepare)
        {
            echo "[$(user admin Admin "$SUPERSET_ADMIN_PASSWORD"),"
            echo " $(user executive Executive "$SUPERSET_EXECUTIVE_PASSWORD"),"
            echo " $(user analyst Analyst "$SUPERSET_ANALYST_PASSWORD")]"
        } | python -P /opt/kefu/superset_prepare.py
        ;;
    web) exec gunicorn --workers 4 --worker-class gthread --threads 4 --timeout 120 --bind 0.0.0.0:8088 \
        "superset.app:create_app()" ;;
    worker) exec celery --app superset.tasks.celery_app:app worker --pool prefork --concurrency 2 ;;
    beat) exec celery --app superset.tasks.celery_app:app beat --schedule "$SUPERSET_HOME/beat-schedule" --pidfile= ;;
    check-worker) exec celery --app superset.tasks.celery_app:app inspect ping --destination "celery@$(hostname)" ;;
    *) exec "$@" ;;
esac
