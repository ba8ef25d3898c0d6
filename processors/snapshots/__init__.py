"""Snapshots of the workers' state on disk, so that a start reads only the end of the topics that the state is a fold over.

`files.py` where they lie · `forms.py` a state as bytes and back · `origin.py` what a snapshot is true for, and why one may
not be used · `store.py` one partition's folder · `taking.py` when they are taken, by a copy of the process.
See docs/decisions/0011.
"""
