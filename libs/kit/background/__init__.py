"""How is heavy computing kept from slowing everything else down? In processes of its own, which let all others go first.

    matched = await helpers.run(matches, cost, password, known_hash)

Threads would not do: whoever waits for the interpreter's lock waits for the thread that holds it, however long the system
lets that one wait for a core. `pool` is for whoever has such work, `process` and `__main__` are the two ends of one helper.
"""
