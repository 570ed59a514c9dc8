"""The board: issues, approvals and the audit log. People and agents meet only here."""
