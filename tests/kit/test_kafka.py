"""To which partition does a key go? To the one that other Kafka clients would choose."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.kafka import partition_of


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), st.integers(1, 64))
def test_a_key_goes_where_aiokafka_would_send_it(keys: list[bytes], count: int) -> None:
    partitions = list(range(count))
    for key in keys * 2:
        assert partition_of(key, partitions, partitions) == DefaultPartitioner()(key, partitions, partitions)
