"""Hybrid search over passages: words and meaning, fused, with a gate for what nothing fits."""
