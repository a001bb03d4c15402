#!/usr/bin/python3
"""Prints "PASSED FAILED" for the test logs of meson (one JSON object a line) that are named."""
import json
import sys

passed = failed = 0
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            result = json.loads(line)["result"]
            if result in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif result != "SKIP":
                failed += 1
if passed + failed == 0:
    sys.exit("no test ran")
print(passed, failed)
