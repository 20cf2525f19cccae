"""The command line: one file for each command; commands print, other rooms compute."""
