"""Passkeys: registered devices of people, and the challenges that they sign."""
