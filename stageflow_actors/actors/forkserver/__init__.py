"""Ray's worker processes, forked from one that has imported everything.

A new process of a stage spends four fifths of its start on importing Ray and this library. Here
one process per job imports both, once, and forks the others. What Ray sees is the same: the
process that it asked for registers with it, in its own process group, with the environment that it
was given. Whenever that cannot be, Python is started as always.

``interpreter`` has Ray start ``launcher`` in place of Python, ``launcher`` asks ``server``.
"""
