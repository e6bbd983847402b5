"""How fast Kefu is, as ratios within one run: ``python -m kefu.bench`` (``make bench``).

`account` invents a Zendesk account of any size, `contenders` are the ways to bring its rows into Postgres and the
steps from there to published, `measure` runs each in a process of its own with clock and memory watched, `run` puts
them in order, `report` makes ratios of them. What each ratio means: docs/bench.md.
"""
