"""The command line: reading arguments, printing, exit codes; the work is done elsewhere."""
