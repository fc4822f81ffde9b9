"""Agents as data: the catalogue, and what of it is installed here."""

from .catalogue import Catalogue, make_catalogue

__all__ = ["Catalogue", "make_catalogue"]
