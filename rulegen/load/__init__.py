"""From manifests, listings and recorded cases to typed objects: the one room that knows their forms."""
