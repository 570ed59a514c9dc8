"""The practice fleet: real SSH servers, real services and real faults on loopback.

For the demo, the tests and the evaluation. Nothing of the product needs it to run.
"""
