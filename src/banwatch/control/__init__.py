"""The control socket: newline-delimited JSON-RPC 2.0 for root and the group. Reference: docs/control-protocol.md."""
