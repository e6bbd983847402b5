# Airflow with Kefu: every Airflow service of docker-compose.yml runs from this image.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}

RUN useradd --create-home --uid 10001 kefu \
    && install --directory --owner kefu /var/lib/kefu
WORKDIR /opt/kefu
ENV PATH=/opt/kefu/venv/bin:$PATH PYTHONUNBUFFERED=1

# The packages first: they change less often than the code.
COPY .locks/server.txt .locks/server.txt
RUN python -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir uv \
    && python -m venv venv \
    && /opt/tools/bin/uv pip install --no-cache --python venv/bin/python --require-hashes --no-deps \
        --compile-bytecode -r .locks/server.txt

COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
COPY superset superset
COPY .docker .docker
RUN /opt/tools/bin/uv pip install --no-cache --python venv/bin/python --no-deps --no-build-isolation -e . \
    && chmod +x .docker/*.sh

USER kefu
ENTRYPOINT ["/opt/kefu/.docker/with-secrets.sh", "/opt/kefu/.docker/airflow.sh"]
