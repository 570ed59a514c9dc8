"""Artefacts: files that people upload, stored once by their content and deployed by rollouts."""
