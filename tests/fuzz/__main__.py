"""Run every fuzz target for some seconds: `python -m tests.fuzz SECONDS`."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "30"
    failures = 0
    for target in sorted(Path(__file__).parent.glob("fuzz_*.py")):
        print(f"== {target.name}", flush=True)
        options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024"]
        failures += subprocess.run([sys.executable, str(target), *options], check=False).returncode != 0
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
