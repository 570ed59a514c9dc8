"""Tools: what may be done on a server, as typed values, and the transport that carries it out.

A tool (`tool`) declares its arguments, its risk, the command it runs, how the output is parsed, and
how the change is verified and undone. `families` declares the tools, `catalog` lists them,
`planning` turns a call into a concrete action, `policy` limits what a grant covers, `gate` is the
only way to run a command, and `transport` talks SSH.
"""
