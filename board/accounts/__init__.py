"""Accounts: people, sign-in, access tokens, linked messenger accounts."""
