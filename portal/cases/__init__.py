"""What cannot be applied automatically and must not be dropped: a case that a person looks at.

One cause has one case, by its `dedup_key`. A case that a person closed stays closed when its cause is told of
again: the person has decided. One that the portal closed by itself (the difference was gone) is opened again
when the cause comes back, because nobody has decided anything. A new fact has a key, and so a case, of its own.
"""
