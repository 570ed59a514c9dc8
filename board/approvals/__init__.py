"""Approvals: policy, approval chains, decisions, delegations, deadlines and proofs."""
