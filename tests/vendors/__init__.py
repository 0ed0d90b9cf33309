"""The far sides of vendors: strict servers on this machine that answer in the vendors' shapes."""
