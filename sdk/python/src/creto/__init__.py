"""Creto."""
