"""The bounded contexts; each owns one PostgreSQL schema and speaks to the others by events alone."""
