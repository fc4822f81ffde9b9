"""GitHub over HTTP. Importing this package is cheap: httpx is loaded when the first request is made."""
