"""The widgets everything else is made of; they know the theme and nothing of the product."""
