"""View models: state turned into what a widget shows. No widgets here."""
