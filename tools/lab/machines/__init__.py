"""Machines: whole Debian systems on loopback addresses, to try the product on real servers.

Each is a container with its own init, OpenSSH, sudo, logs, web server, Tomcat and databases. It
needs root on Linux; the practice fleet beside it does not.
"""
