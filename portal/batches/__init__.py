"""Long work that a person watches: it runs in the worker, step by step, with progress, a log and a result.

One step is one transaction: what it does, how far the batch has come and what it adds to the result commit
together, so a worker may die anywhere and the next one goes on behind the last step that counted. What a step
of each kind does is `portal/job_kinds.py`'s to say (`STEPS`); this room knows only how far it is.
"""
