"""Is the portal well? Every promise as a statement that finds what breaks it, and the state of what it stands on.

`invariants` is the table of promises, `checks` looks at settings, database, keys, clock, gateway and worker,
`examination` does all of it, `heartbeat` is the worker's sign of life. Nothing here changes anything else.
"""
