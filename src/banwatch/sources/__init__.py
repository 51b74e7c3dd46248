"""Log files as one stream of chunks of whole lines."""
