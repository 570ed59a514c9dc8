"""Standing approvals of standard changes: earned, approved by people, used within limits."""
