"""Composition: the only package that may import everything."""
