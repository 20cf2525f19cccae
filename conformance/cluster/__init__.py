"""A control plane on loopback: recording what it does with objects, and comparing that with ours."""
