"""Superset follows, when KPIs were published: dashboards, roles and the cached results of the old numbers.

Re-running: clear the task, or trigger the DAG. Importing the same dashboards again changes nothing.
"""

from airflow.sdk import Asset, dag, task

from kefu import pipeline
from kefu.stack.dag_defaults import EVERY_DAG


@dag(
    schedule=[Asset("kpis")],
    tags=["dashboards"],
    doc_md=__doc__,
    **EVERY_DAG,
)
def refresh_dashboards() -> None:
    task(task_id="refresh_dashboards")(pipeline.refresh_dashboards)()


refresh_dashboards()
