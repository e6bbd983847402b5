#!/bin/sh
# Run once by the Postgres image, on an empty volume: the databases Airflow and Superset keep their own things in.
# The warehouse itself (database, roles, schemas) is prepared by Kefu.
set -eu

database() {
    psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        --set name="$1" --set secret="$2" <<'SQL'
create role :"name" login password :'secret';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
}

database airflow "$AIRFLOW_DATABASE_PASSWORD"
database superset "$SUPERSET_DATABASE_PASSWORD"
