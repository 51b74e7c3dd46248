"""What has happened and how things stand, in numbers for Prometheus. Reference: docs/metrics.md."""
