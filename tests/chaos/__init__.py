"""What is hit while it runs. A package, so that its servers end with its last test."""
