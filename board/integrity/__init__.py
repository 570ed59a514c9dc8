"""Integrity of the audit log: notary, verification, daily report, export, key rotation."""
