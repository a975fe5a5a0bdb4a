"""Runs a command and says what it cost: wall and CPU seconds, peak resident memory, exit status.

    python3 -S -E cost_of.py RESULT.json COMMAND...

A program of its own, and without any import that is not needed: a child's peak memory starts at that of the process
that launched it, so the launcher has to be small.
"""
import json
import os
import sys
import time

if __name__ == "__main__":
    result, command = sys.argv[1], sys.argv[2:]
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    cost = {
        "status": os.waitstatus_to_exitcode(status),
        "wall_s": round(time.monotonic() - start, 3),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6, 1),  # Linux counts in KiB
    }
    with open(result, "w") as file:
        json.dump(cost, file)
