"""Compile, diff, trace and try the node rules that Kubernetes Services turn into."""
