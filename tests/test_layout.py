"""The rules of the repository itself: what lies where, and what may stand in no file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

TOP = {
    "dags", "dbt_project", "expectations", "superset", "tests", "docker-compose.yml", "pyproject.toml",
    "src", "docs", "Makefile", "kefu.toml", "README.md", "CHANGELOG.md", "LICENSE",
}  # fmt: skip
DAG_LINES = 40

# Written so that this file does not break its own rules.
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
REGISTRIES = re.compile(
    r"(?:py"
    r"pi\.(?:org|python)|python"
    r"hosted\.org|npm"
    r"js\.(?:org|com)|yarn"
    r"pkg\.com|repo1?\.maven|"
    r"repo\.ana"
    r"conda|conda\.ana"
    r"conda|proxy\.gol"
    r"ang|crates"
    r"\.io|ruby"
    r"gems\.org)"
)
MACHINE = re.compile(
    r"(?<![\w.$}*])/(?:wo"
    r"rk|ro"
    r"ot|ho"
    r"me/(?!kefu/)\w+|Us"
    r"ers/\w+|mnt|priv"
    r"ate/var)(?=[/\s\"'`)]|$)"
)
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIV"
    r"ATE KEY|\bAK"
    r"IA[0-9A-Z]{16}\b|\bgh[pousr]"
    r"_[A-Za-z0-9]{30,}|\bxox"
    r"[abprs]-[\w-]{10,}|"
    r"\bey"
    r"J[\w-]{10,}\.ey"
    r"J[\w-]{10,}\.|\bsk"
    r"-[A-Za-z0-9]{32,}"
)


@pytest.fixture(scope="module")
def files(project: Path) -> list[Path]:
    """Every file of the repository: what git has, and what it would take."""
    if not (project / ".git").exists():
        pytest.skip("needs the git checkout to know which files belong to it")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=project, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [project / name for name in listed.stdout.split("\0") if name]
    assert len(found) > 100
    return [path for path in found if path.is_file()]


@pytest.fixture(scope="module")
def find(project: Path, files: list[Path]) -> Callable[[re.Pattern[str]], list[str]]:
    """The places where a pattern stands in any text file."""

    def places(pattern: re.Pattern[str]) -> Iterator[str]:
        for path in files:
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture, a compressed file
            for number, line in enumerate(text.splitlines(), start=1):
                if match := pattern.search(line):
                    yield f"{path.relative_to(project)}:{number}: {match.group()}"

    return lambda pattern: list(places(pattern))


def test_the_top_level_holds_what_the_design_allows_and_nothing_else(project: Path, files: list[Path]) -> None:
    top = {path.relative_to(project).parts[0] for path in files}
    assert {name for name in top if not name.startswith(".")} - TOP == set()


def test_the_pieces_a_newcomer_looks_for_are_there(project: Path) -> None:
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "Makefile", "kefu.toml", ".env.example", "docker-compose.yml"):
        assert (project / name).is_file(), name
    assert (project / "LICENSE").read_text(encoding="utf-8").lstrip().startswith("Apache License")


def test_nothing_unfinished_is_left(find: Callable[[re.Pattern[str]], list[str]]) -> None:
    assert find(UNFINISHED) == []


def test_no_file_names_a_package_registry(find: Callable[[re.Pattern[str]], list[str]]) -> None:
    assert find(REGISTRIES) == []


def test_no_file_names_a_folder_of_one_machine(find: Callable[[re.Pattern[str]], list[str]]) -> None:
    assert find(MACHINE) == []


def test_no_file_holds_a_secret(find: Callable[[re.Pattern[str]], list[str]]) -> None:
    assert find(SECRETS) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (UNFINISHED, "x = 1  # TO" + "DO: think"),
        (REGISTRIES, "--index-url https://py" + "pi.org/simple"),
        (MACHINE, "cd /wo" + "rk/main"),
        (MACHINE, "path = '/ho" + "me/jane/x'"),
        (SECRETS, "-----BEGIN RSA PRIV" + "ATE KEY-----"),
        (SECRETS, "key = 'AK" + "IA" + "A" * 16 + "'"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def test_lock_files_hold_versions_and_hashes_but_no_url(project: Path) -> None:
    locks = sorted((project / ".locks").glob("*.txt"))
    assert {lock.stem for lock in locks} >= {"warehouse", "superset", "test"}
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock
        packages = [line for line in text.splitlines() if line[:1].isalnum()]
        assert packages
        assert [line for line in packages if "==" not in line] == []
        assert text.count("--hash=sha256:") >= len(packages)


def test_the_example_of_the_secrets_holds_none(project: Path) -> None:
    lines = (project / ".env.example").read_text(encoding="utf-8").splitlines()
    assignments = [line for line in lines if line and not line.startswith("#")]
    assert assignments
    assert [line for line in assignments if not re.fullmatch(r"[A-Z0-9_]+=", line)] == []


def test_a_dag_is_order_and_schedule_only(project: Path) -> None:
    dags = sorted((project / "dags").glob("*.py"))
    assert dags
    long = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in dags}
    assert {name: lines for name, lines in long.items() if lines > DAG_LINES} == {}


def test_hooks_run_what_is_installed_here_and_fetch_nothing(project: Path) -> None:
    configuration = yaml.safe_load((project / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in configuration["repos"]] == ["local"]
    for hook in configuration["repos"][0]["hooks"]:
        program = hook["entry"].split()[0]
        assert hook["language"] == "system"
        assert program.startswith(".venv/warehouse/bin/")
        assert (project / program).exists(), program
