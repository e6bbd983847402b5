"""The local stack: embedded Postgres, Airflow, Superset and the demo's source systems as plain processes.

Everything it writes is under KEFU_HOME; everything it starts it can stop, and it ends nothing else.
"""
