"""The board: issues, approvals and the record. People and agents meet only here."""
