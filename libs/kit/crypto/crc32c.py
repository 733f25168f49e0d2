"""What is the CRC32C of some bytes? Castagnoli's polynomial, as RFC 3720 (B.4) gives examples of; for a few bytes."""

from __future__ import annotations

_POLYNOMIAL = 0x82F63B78
"""0x1EDC6F41 with its bits reversed."""
_ALL = 0xFFFFFFFF


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = tuple(_entry(value) for value in range(256))


def crc32c(data: bytes) -> int:
    """The checksum, as an unsigned number of 32 bits."""
    checksum = _ALL
    for byte in data:
        checksum = (checksum >> 8) ^ _TABLE[(checksum ^ byte) & 0xFF]
    return checksum ^ _ALL
