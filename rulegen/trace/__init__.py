"""Follow a packet through the text of a node's rules, and say why it ends where it does."""
