"""Tools: what may be done on a server, as typed values, and the hands that do it.

A tool (``tool``) is a declaration: its arguments, its risk, the command it stands for, how its
output is read, and how it is checked and undone. The families (``database``, ``service``,
``disk``, ``deploy``, ``logs``, ``security``, ``certificate``, ``host``) declare them, ``catalog``
lists them, ``planning`` turns a call into a concrete action, ``policy`` says what a grant covers,
``execute`` is the one gate, and ``ssh`` alone talks to servers.
"""
