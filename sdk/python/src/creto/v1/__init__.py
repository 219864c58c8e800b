"""The API of Creto, version 1: generated, see generate.py."""
