"""
This proxy beside others, on one core each, in one run: `python -m tests.bench [ROW...]`.

`docs/performance.md` says how it measures and what the figures mean.
"""
