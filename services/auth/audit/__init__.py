"""How does an audit trail hold together? By hashes that cover the entry before, and heads that are signed and told."""
