"""The audit log: hash chain, signed checkpoints, decision signatures, offline verifier."""
