"""What all parts of Riverhouse share: settings, clock, logging, the command line, and the stack on one machine."""
