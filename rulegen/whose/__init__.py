"""Which Service, port and endpoint a chain, an address, a node port or a set entry belongs to."""

from rulegen.whose.answer import Answer, Question, question
from rulegen.whose.dump import in_dump
from rulegen.whose.manifests import in_plan

__all__ = ["Answer", "Question", "in_dump", "in_plan", "question"]
