"""What the kernel holds against what it should hold: pure, says what has to be mended and how often that may be."""
