"""One outside thing each; adapters are strangers to each other."""
