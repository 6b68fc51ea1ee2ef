"""One test for each MUST of the runtime-spec, run against real bundles: see TABLE.md, and table.py, which writes it."""
