"""The inbox of the stand-in: reports, their signals and artefacts, what becomes of them."""
