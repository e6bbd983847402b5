"""docker-compose.yml: the same stack for a server; complete, without default passwords, every part watched."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

SERVICES = {
    "postgres",
    "redis",
    "airflow-prepare",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-worker",
    "superset-prepare",
    "superset",
    "superset-worker",
    "superset-beat",
}
SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")


@pytest.fixture(scope="module")
def text(project: Path) -> str:
    return (project / "docker-compose.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services(text: str) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(text)["services"])


def with_secrets(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / ".docker" / "with-secrets.sh", *command],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], **environment},
    )


def test_every_part_of_the_stack_is_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == SERVICES


def test_what_runs_for_ever_is_restarted_and_watched_and_what_prepares_ends(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        if name.endswith("-prepare"):
            assert service["restart"] == "no", name
            assert "healthcheck" not in service, name
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
            assert "interval" in service["healthcheck"], name


def test_nothing_starts_before_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        waits = service.get("depends_on", {})
        assert set(waits) <= SERVICES, name
        for other, how in waits.items():
            wanted = "service_completed_successfully" if other.endswith("-prepare") else "service_healthy"
            assert how == {"condition": wanted}, (name, other)
        if name.startswith("airflow-") and name != "airflow-prepare":
            assert set(waits) == {"postgres", "redis", "airflow-prepare"}, name
        if name.startswith("superset") and name != "superset-prepare":
            assert set(waits) == {"postgres", "redis", "superset-prepare"}, name


def test_no_secret_has_a_value_or_a_default(text: str, services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and variable not in ("SECRETS", "SUPERSET_URL") and "FILE" not in variable:
                assert value == f"${{{variable}:-}}", (name, variable)
    for variable, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
        if SECRET.search(variable) and variable != "KEFU_SECRETS":
            assert default == "", variable


def test_every_secret_a_service_needs_is_one_that_is_generated(
    project: Path, tmp_path: Path, services: dict[str, dict[str, Any]]
) -> None:
    script = tmp_path / ".docker" / "new-secrets.sh"
    script.parent.mkdir()
    script.write_bytes((project / ".docker" / "new-secrets.sh").read_bytes())
    made = subprocess.run(["sh", script], check=True, capture_output=True, text=True).stdout
    values = dict(line.split("=", 1) for line in made.splitlines())
    needed = {name for service in services.values() for name in service["environment"]["SECRETS"].split()}
    # Airflow's containers take the rest of what they need from .env as a whole.
    assert needed <= set(values)
    assert len(set(values.values())) == len(values)
    assert all(len(value) >= 40 for value in values.values())
    (tmp_path / ".env").write_text(made)
    again = subprocess.run(["sh", script], check=True, capture_output=True, text=True).stdout
    assert again == "", "what is there already is not made again"


def test_a_missing_secret_stops_the_service_and_is_named(project: Path) -> None:
    done = with_secrets(project, "echo", "started", SECRETS="KEFU_LOADER_PASSWORD")
    assert done.returncode == 1
    assert "KEFU_LOADER_PASSWORD is not set" in done.stderr
    assert done.stdout == ""
    given = with_secrets(project, "sh", "-c", "echo $ONE", SECRETS="ONE", ONE="a b $c 'd'")
    assert given.stdout == "a b $c 'd'\n"


def test_only_the_two_web_interfaces_are_published_and_only_on_this_machine(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {
        "airflow-api-server": ["${AIRFLOW_ADDRESS:-127.0.0.1:8080}:8080"],
        "superset": ["${SUPERSET_ADDRESS:-127.0.0.1:8088}:8088"],
    }


def test_state_is_in_declared_volumes_and_mounted_files_exist(
    project: Path, text: str, services: dict[str, dict[str, Any]]
) -> None:
    volumes = yaml.safe_load(text)["volumes"]
    used = set()
    for service in services.values():
        for mount in service["volumes"]:
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0]
            if source.startswith("."):
                assert source == "./.secrets" or (project / source).exists(), source
            else:
                used.add(source)
    assert used == set(volumes)


def test_images_are_built_from_files_that_are_there(project: Path, services: dict[str, dict[str, Any]]) -> None:
    files = {service["build"]["dockerfile"] for service in services.values() if "build" in service}
    assert files == {".docker/warehouse.Dockerfile", ".docker/superset.Dockerfile"}
    for file in files:
        copied = re.findall(r"^COPY (.+) \S+$", (project / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert copied
        for source in " ".join(copied).split():
            assert (project / source).exists(), (file, source)


def test_scripts_are_valid_and_executable(project: Path) -> None:
    scripts = sorted((project / ".docker").glob("*.sh"))
    assert len(scripts) == 5
    for script in scripts:
        subprocess.run(["sh", "-n", script], check=True)
        assert os.access(script, os.X_OK), script.name


def test_the_servers_packages_are_those_of_the_warehouse_and_a_celery_the_provider_can_import(project: Path) -> None:
    def locked(name: str) -> dict[str, str]:
        lines = (project / ".locks" / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lines, re.MULTILINE))

    server = locked("server.txt")
    assert locked("warehouse.txt").items() <= server.items()
    assert tuple(map(int, server["celery"].split(".")[:2])) < (5, 7)


def test_the_warehouse_of_the_containers_is_the_postgres_service(
    services: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kefu.settings import load_settings

    (tmp_path / "kefu.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("KEFU_WAREHOUSE_HOST", services["airflow-worker"]["environment"]["KEFU_WAREHOUSE_HOST"])
    assert load_settings(tmp_path / "kefu.toml").warehouse.host == "postgres"
