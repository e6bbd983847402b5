"""One DAG per enabled source of kefu.toml: ingest_zendesk, ingest_asterisk, ingest_qualtrics, ...

Lands the source in its own raw schema, holds what landed to the raw expectations, and only then announces
the asset that build_warehouse waits for.

Re-running: clear the failed task. Loads merge on the vendor's key and resume from the last cursor,
so running twice costs time, never duplicates. To read everything again: `kefu extract NAME --full`.
"""

from airflow.sdk import Asset, dag, task

from kefu import pipeline
from kefu.settings import SourceSettings, load_settings
from kefu.sources import kinds
from kefu.stack.dag_defaults import EVERY_DAG, NO_RETRY


def ingest(source: SourceSettings) -> None:
    kind = kinds()[source.kind]

    @dag(
        dag_id=f"ingest_{source.name}",
        schedule=source.schedule or kind.schedule,
        tags=["ingest", kind.channel],
        doc_md=__doc__,
        **EVERY_DAG,
    )
    def ingest_source() -> None:
        extract = task(task_id="extract")(pipeline.extract)
        landed = Asset(f"raw_{source.name}")
        check_raw = task(task_id="check_raw_expectations", outlets=[landed], **NO_RETRY)(pipeline.check_raw)

        extract([source.name]) >> check_raw([source.name])

    ingest_source()


for enabled in load_settings().enabled_sources():
    ingest(enabled)
