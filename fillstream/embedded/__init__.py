"""Real PostgreSQL and real Apache Kafka from Python and Java packages, run as child processes on the loopback.

`stack.embedded_stack` starts both and stops both; `postgres.PostgresServer` and `kafka.KafkaServer` are each of them
alone, to be killed and started again by tests of faults.
"""
