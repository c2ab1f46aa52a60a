"""docs/split.md, computed anew: what bucket and variant a unit gets."""
from .xxh3 import xxh3_64

BUCKETS = 10_000


def bucket_of(unit, salt):
    return xxh3_64(unit, xxh3_64(salt)) % BUCKETS


def ranges_of(weights, baseline=0):
    """`weights`: percent by variant in the file's order. Returns a list of (first, end, variant): the first candidate grows
    from 0 upward, the second from 9,999 downward, the third follows the first, the fourth precedes the second …"""
    low, high = 0, BUCKETS
    found = []
    for order, variant in enumerate(v for v in range(len(weights)) if v != baseline):
        size = round(weights[variant] * 100)
        if order % 2 == 0:
            found.append((low, low + size, variant))
            low += size
        else:
            found.append((high - size, high, variant))
            high -= size
    found.append((low, high, baseline))
    return found


def variant_of(bucket, weights, baseline=0):
    for first, end, variant in ranges_of(weights, baseline):
        if first <= bucket < end:
            return variant
    raise AssertionError(f"bucket {bucket} belongs to nobody")
