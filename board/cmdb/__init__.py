"""CMDB: servers, their services and their owners."""
