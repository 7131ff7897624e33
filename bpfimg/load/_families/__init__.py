"""One small file for each family of hooks: how a program gets on, and what is written down about it.

A family has `attach(program, hook, scene)`, which returns an `Attachment` that is not committed yet, and `check(hook)`,
which looks whether the place exists and attaches nothing. `WORDS` of `load._hooks._words` says which family a hook has.
"""
