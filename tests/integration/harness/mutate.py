"""Configurations with a mistake in them, at random: a value or two of a good one deleted, added, retyped, out of range."""
import copy
import json

STRANGE = (None, True, 0, 1, 7, -1, 0.5, 100, 101, 10 ** 12, "", "x", "off", "auto", "5s", "31d", "10MiB", "/a", "a b", "unix",
           "1.2", "http://a:1", "127.0.0.1:1", "${SLUICE_NOT_SET:-3}", "${", [], [1], ["x"], {}, {"a": 1}, [{"a": "b"}])


def places(value):
    """(container, key) of everything below."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def _delete(_rng, holder, key):
    del holder[key]


def _retype(rng, holder, key):
    holder[key] = copy.deepcopy(rng.choice(STRANGE))


def _out_of_range(rng, holder, key):
    value = holder[key]
    if isinstance(value, (int, float)):
        holder[key] = rng.choice((-value - 1, value * 1000 + 1, value + 0.001))
    elif isinstance(value, str):
        at = rng.randint(0, len(value))
        holder[key] = value[:at] + rng.choice(("0", "-", " ", "~", "9999", ".", "%")) + value[at:]
    else:
        holder[key] = None


def _shorten(rng, holder, key):
    value = holder[key]
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        holder[key] = value[:at] + value[at + 1:]
    else:
        _retype(rng, holder, key)


def _add(rng, holder, key):
    value = copy.deepcopy(rng.choice(STRANGE))
    if isinstance(holder, list):
        holder.insert(key, rng.choice((value, copy.deepcopy(holder[key]))))
    else:
        holder[rng.choice((f"{key}s", key[1:] or "x", "weight", "pause", "max", "mode", "path"))] = value


def _rename(rng, holder, key):
    if isinstance(holder, dict):
        at = rng.randrange(len(key)) if key else 0
        holder[key[:at] + key[at + 1:]] = holder.pop(key)
    else:
        _retype(rng, holder, key)


def _move(rng, holder, key):
    """What stands elsewhere under the same name, or anywhere."""
    holder[key] = copy.deepcopy(rng.choice(_move.others)[1])


def mutated(rng, sample, pool):
    """`sample` with one mistake or two; `pool`: (key, value) of all samples, for values that are right elsewhere."""
    value = copy.deepcopy(sample)
    for _ in range(rng.choice((1, 1, 2))):
        found = list(places(value))
        if not found:
            break
        holder, key = rng.choice(found)
        kind = rng.choice((_delete, _retype, _retype, _out_of_range, _out_of_range, _shorten, _add, _rename, _move))
        _move.others = [one for one in pool if one[0] == key] or pool
        kind(rng, holder, key)
    return value


def flow(value):
    """As YAML's flow style has it, which JSON is."""
    return json.dumps(value, ensure_ascii=False)
