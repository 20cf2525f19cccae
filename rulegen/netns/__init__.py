"""The rim: programming a network namespace, and putting it back when that fails."""
