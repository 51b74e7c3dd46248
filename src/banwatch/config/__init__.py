"""The configuration: files of YAML, read in layers, checked against one table of keys, handed on as frozen values."""
