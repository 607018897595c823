"""Measures of weakly supervised detection."""
