"""How are secrets kept? Envelope encryption: a data key per workspace and context, wrapped by a key of the installation's.

`places` says where a secret lives, `keyring` seals and opens it there, `encryption` gets a transaction its keyring out of
`data_keys`, which `key_encryption` wraps: by `keyset_file`, `aws_kms`, `gcp_kms` or `vault_transit`, as `addresses`
reads off a URL; `two_keys` lets both open while one gives way to the other. `rotation` makes both kinds of keys new while everything goes on.
"""
