"""Costs and budgets: metering of model calls, accounts, caps, reports."""
