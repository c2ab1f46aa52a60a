"""XXH3_64bits in plain Python, written from the algorithm's specification and from nothing of the product: what any client can compute.

The tests compare it with published vectors (test_assignment.py) and with the product's answers.
"""
import struct

MASK = (1 << 64) - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
PMX1, PMX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")


def _u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def _u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def _swap32(value):
    return int.from_bytes(value.to_bytes(4, "little"), "big")


def _swap64(value):
    return int.from_bytes(value.to_bytes(8, "little"), "big")


def _rotl(value, by):
    return ((value << by) | (value >> (64 - by))) & MASK


def _fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def _avalanche(h):
    h ^= h >> 37
    h = h * PMX1 & MASK
    return h ^ (h >> 32)


def _avalanche64(h):
    h ^= h >> 33
    h = h * P64_2 & MASK
    h ^= h >> 29
    h = h * P64_3 & MASK
    return h ^ (h >> 32)


def _mix16(data, at, secret_at, seed):
    return _fold(_u64(data, at) ^ ((_u64(SECRET, secret_at) + seed) & MASK),
                 _u64(data, at + 8) ^ ((_u64(SECRET, secret_at + 8) - seed) & MASK))


def _short(data, seed):
    size = len(data)
    if size == 0:
        return _avalanche64(seed ^ _u64(SECRET, 56) ^ _u64(SECRET, 64))
    if size <= 3:
        combined = (data[0] << 16) | (data[size >> 1] << 24) | data[size - 1] | (size << 8)
        flip = ((_u32(SECRET, 0) ^ _u32(SECRET, 4)) + seed) & MASK
        return _avalanche64(combined ^ flip)
    if size <= 8:
        seed ^= _swap32(seed & 0xFFFFFFFF) << 32
        low = _u32(data, size - 4) + (_u32(data, 0) << 32)
        flip = ((_u64(SECRET, 8) ^ _u64(SECRET, 16)) - seed) & MASK
        h = low ^ flip
        h ^= _rotl(h, 49) ^ _rotl(h, 24)
        h = h * PMX2 & MASK
        h ^= (h >> 35) + size
        h = h * PMX2 & MASK
        return h ^ (h >> 28)
    flip1 = ((_u64(SECRET, 24) ^ _u64(SECRET, 32)) + seed) & MASK
    flip2 = ((_u64(SECRET, 40) ^ _u64(SECRET, 48)) - seed) & MASK
    low = _u64(data, 0) ^ flip1
    high = _u64(data, size - 8) ^ flip2
    return _avalanche((size + _swap64(low) + high + _fold(low, high)) & MASK)


def _middle(data, seed):
    size = len(data)
    acc = size * P64_1 & MASK
    if size <= 128:
        steps = (size - 1) // 32
        for i in range(steps, -1, -1):
            acc += _mix16(data, 16 * i, 32 * i, seed)
            acc += _mix16(data, size - 16 * (i + 1), 32 * i + 16, seed)
        return _avalanche(acc & MASK)
    for i in range(8):
        acc += _mix16(data, 16 * i, 16 * i, seed)
    acc = _avalanche(acc & MASK)
    for i in range(8, size // 16):
        acc += _mix16(data, 16 * i, 16 * (i - 8) + 3, seed)
    acc += _mix16(data, size - 16, 136 - 17, seed)
    return _avalanche(acc & MASK)


def _long(data, seed):
    secret = bytearray()
    for at in range(0, 192, 16):
        secret += struct.pack("<QQ", (_u64(SECRET, at) + seed) & MASK, (_u64(SECRET, at + 8) - seed) & MASK)
    acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]

    def stripe(at, secret_at):
        for i in range(8):
            value = _u64(data, at + 8 * i)
            key = value ^ _u64(secret, secret_at + 8 * i)
            acc[i ^ 1] = (acc[i ^ 1] + value) & MASK
            acc[i] = (acc[i] + (key & 0xFFFFFFFF) * (key >> 32)) & MASK

    def scramble():
        for i in range(8):
            acc[i] ^= acc[i] >> 47
            acc[i] = (acc[i] ^ _u64(secret, 128 + 8 * i)) * P32_1 & MASK

    size = len(data)
    blocks = (size - 1) // 1024
    for block in range(blocks):
        for i in range(16):
            stripe(block * 1024 + i * 64, i * 8)
        scramble()
    for i in range((size - 1 - blocks * 1024) // 64):
        stripe(blocks * 1024 + i * 64, i * 8)
    stripe(size - 64, 192 - 64 - 7)
    h = size * P64_1 & MASK
    for i in range(4):
        h += _fold(acc[2 * i] ^ _u64(secret, 11 + 16 * i), acc[2 * i + 1] ^ _u64(secret, 11 + 16 * i + 8))
    return _avalanche(h & MASK)


def xxh3_64(data, seed=0):
    if isinstance(data, str):
        data = data.encode()
    if len(data) <= 16:
        return _short(data, seed)
    if len(data) <= 240:
        return _middle(data, seed)
    return _long(data, seed)
