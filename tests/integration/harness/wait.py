"""Waiting for a condition instead of for a time."""
import time


def wait_for(condition, timeout=10.0, what=None, interval=0.01):
    """Calls `condition` until it returns something true and returns that; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__name__", "condition")
            raise AssertionError(f"not within {timeout:g} s: {name}")
        time.sleep(interval)
