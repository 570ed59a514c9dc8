"""Practice fleet: real SSH servers, real services and real faults on loopback.

For the demo, the tests and the evaluation; the product does not need it to run.
"""
