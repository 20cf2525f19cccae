"""JSONPath templates as kubectl understands them (``k8s.io/client-go/util/jsonpath``, 1.37).

Text with actions in braces: ``{.metadata.name}``, ``{.spec.ports[0].port}``, ``{.items[*].kind}``,
``{..ip}``, ``{['kind','apiVersion']}``, ``{.status.conditions[?(@.type=="Ready")].status}``,
``{range .items[*]}{.metadata.name}{"\\n"}{end}``. Where Go walks a map in random order, ours is by key.
"""

from rulegen.kubectl.jsonpath.evaluate import Template, go_syntax, go_text, go_type
from rulegen.kubectl.jsonpath.parse import PathError, relaxed

__all__ = ["PathError", "Template", "go_syntax", "go_text", "go_type", "relaxed"]
