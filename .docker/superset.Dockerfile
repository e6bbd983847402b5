# Superset with Kefu's settings and theme: web, worker and beat of docker-compose.yml run from this image.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}

RUN useradd --create-home --uid 10001 kefu \
    && install --directory --owner kefu /var/lib/superset
WORKDIR /opt/kefu
ENV PATH=/opt/kefu/venv/bin:$PATH PYTHONUNBUFFERED=1

COPY .locks/superset.txt .locks/superset.txt
RUN python -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir uv \
    && python -m venv venv \
    && /opt/tools/bin/uv pip install --no-cache --python venv/bin/python --require-hashes --no-deps \
        --compile-bytecode -r .locks/superset.txt

COPY superset superset
COPY src/kefu/stack/superset_prepare.py superset_prepare.py
COPY .docker .docker
RUN chmod +x .docker/*.sh

USER kefu
ENTRYPOINT ["/opt/kefu/.docker/with-secrets.sh", "/opt/kefu/.docker/superset.sh"]
