"""Rollouts: one artefact on several servers, in tiers and batches, under one approval."""
