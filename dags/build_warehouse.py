"""Raw to published KPIs, when any source has landed and passed.

One dbt call a layer (staging with canonical, marts, kpis) into the slot readers do not see; then the
published expectations; then one transaction turns the readers' views to the new slot.

Re-running: clear the failed task, or trigger the DAG. Every build starts from raw, so it ends at the same
marts however often it runs; until `publish` succeeds readers keep the last good numbers.
"""

from airflow.sdk import Asset, AssetAny, dag, task

from kefu import pipeline
from kefu.settings import load_settings
from kefu.stack.dag_defaults import EVERY_DAG, NO_RETRY, ONE_RETRY

landed = [Asset(f"raw_{source.name}") for source in load_settings().enabled_sources()]


@dag(
    schedule=AssetAny(*landed) if landed else None,  # any, not all: a silent vendor must not freeze the rest
    tags=["transform"],
    doc_md=__doc__,
    **EVERY_DAG,
)
def build_warehouse() -> None:
    build = [
        task(task_id=f"build_{layer}", **ONE_RETRY)(pipeline.build)([layer]) for layer in ("canonical", "marts", "kpis")
    ]
    check = task(task_id="check_published_expectations", **NO_RETRY)(pipeline.check_published)()
    publish = task(task_id="publish", outlets=[Asset("kpis")])(pipeline.publish)()

    build[0] >> build[1] >> build[2] >> check >> publish


build_warehouse()
