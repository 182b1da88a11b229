"""Coverage-guided fuzzing: `make fuzz`, or one target with `python -m tests.fuzz.fuzz_http1 -max_total_time=30`."""
