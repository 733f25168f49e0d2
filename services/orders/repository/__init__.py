"""What is the SQL? Sets in, sets out: one statement for a thousand orders as for one.

Locks are taken in one order everywhere: markets, then accounts. An account's lock guards its orders and positions.
"""
