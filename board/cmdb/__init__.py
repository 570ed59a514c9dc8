"""Servers, their services and the people who own them (CMDB)."""
