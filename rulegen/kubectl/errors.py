"""What can go wrong, in kubectl's words."""

from __future__ import annotations

from collections.abc import Sequence


class KubectlError(Exception):
    """A command failed: ``str()`` is the message, which kubectl prints after ``error: ``."""

    def line(self) -> str:
        """The message as kubectl prints it where it is the only one."""
        text = str(self)
        return text if text.startswith("error: ") else f"error: {text}"

    def listed(self) -> str:
        """The message as kubectl prints it among others."""
        return str(self)


class PrintError(KubectlError):
    """Printing failed after some was ``printed``."""

    def __init__(self, message: str, printed: str) -> None:
        super().__init__(message)
        self.printed = printed


class ServerError(KubectlError):
    """The API server refused a request, for a ``reason`` as ``NotFound`` or ``BadRequest``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def line(self) -> str:
        return f"Error from server ({self.reason}): {self}"

    def listed(self) -> str:
        return self.line()


class AggregateError(KubectlError):
    """Several errors at once."""

    def __init__(self, errors: Sequence[KubectlError]) -> None:
        super().__init__(*errors)
        self.errors = tuple(errors)

    def line(self) -> str:
        if len(self.errors) == 1:
            return self.errors[0].line()
        return "\n".join(error.listed() for error in self.errors)

    def listed(self) -> str:
        return self.line()


def raise_all(errors: Sequence[KubectlError]) -> None:
    """Raise what there is, if anything."""
    if errors:
        raise AggregateError(errors)


def not_found(resource: str, name: str) -> ServerError:
    """``resource`` with its group, as ``deployments.apps``."""
    return ServerError("NotFound", f'{resource} "{name}" not found')
