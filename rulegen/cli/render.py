"""``rulegen render``: the rules of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from rulegen.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rulegen.backend import Form
    from rulegen.cli.inputs import Inputs

EXAMPLES = """
Examples:

\b
  # What kube-proxy gives to iptables-restore on this node
  rulegen render -f manifests/ --node n1
\b
  # Try it in a network namespace of your own
  rulegen render -f manifests/ --with-jumps | ip netns exec lab iptables-restore --noflush
\b
  # A cluster as it is, another mode, as JSON
  kubectl get svc,endpointslices,nodes -A -o json | rulegen render -f - --node n1 --mode nftables -o json
"""

_JUMPS = "-with-jumps"


class _WithForms(TyperCommand):
    """A command whose help ends with the text forms of every mode, as the modes themselves tell them."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from rulegen.backend import backend, modes

        super().format_options(ctx, formatter)
        for mode in modes():
            with formatter.section(f"Text forms of {mode} mode, the default first"):
                formatter.write_dl([(form.name, form.help) for form in _listed(backend(mode).forms)])


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES, cls=_WithForms)(options.takes_inputs(render))


def render(
    inputs: Inputs,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="json, yaml, or a text form of the mode: restore, save (iptables); ipvsadm, ipset, restore, "
            "script, table (ipvs); nft (nftables); restore, save, jumps (userspace).",
        ),
    ] = None,
    with_jumps: Annotated[
        bool, typer.Option("--with-jumps", help="Also install the jumps from the kernel's own chains.")
    ] = False,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant", help="With -o save: whose output, that of iptables-nft or iptables-legacy."
        ),
    ] = None,
) -> None:
    """Print the rules of a node, as kube-proxy would program them."""

    if variant is not None and output != "save":
        raise ValueError("--variant goes with -o save only")
    if output in ("json", "yaml"):
        _print_data(inputs, output)
    else:
        _print_text(inputs, _form(inputs, output, variant, with_jumps=with_jumps))


def _form(inputs: Inputs, output: str | None, variant: str | None, *, with_jumps: bool) -> Form:
    forms = inputs.backend.forms
    name = output or forms[0].name
    if variant is not None:
        name += f"-{variant}"
    if with_jumps:
        name += _JUMPS
    for form in forms:
        if form.name == name:
            return form
    mode, asked = inputs.config.mode, output or forms[0].name
    names = [form.name for form in forms]
    if asked not in names:
        known = ", ".join(form.name for form in _listed(forms))
        raise ValueError(f"-o {asked}: unknown in {mode} mode; known: {known}, json, yaml")
    if variant is not None and f"{asked}-{variant}" not in names:
        found = [form.name.removeprefix("save-") for form in _listed(forms) if form.name.startswith("save-")]
        raise ValueError(f"--variant {variant}: must be one of {', '.join(found)}")
    able = [each for each in names if f"{each}{_JUMPS}" in names]
    told = f"it goes with -o {', '.join(able)}" if able else "no form has jumps apart from the rules"
    raise ValueError(f"--with-jumps does not go with -o {asked} in {mode} mode; {told}")


def _listed(forms: Sequence[Form]) -> list[Form]:
    """The forms that users choose by name; those with jumps have an option."""
    return [form for form in forms if not form.name.endswith(_JUMPS)]


def _print_text(inputs: Inputs, form: Form) -> None:
    from rulegen.cli.inputs import compile_families, without_rules
    from rulegen.cli.output import emit, note

    families = inputs.families()
    if not form.joins:
        # The texts of the families are for two programs (iptables-restore, ip6tables-restore).
        others, families = families[1:], families[:1]
        for other in others:
            if any(port.port for port in inputs.plan(other).ports):
                note(f"these are the {families[0]} rules; --family {other} prints the others")
    for line in without_rules(inputs, families):
        note(line)
    for ruleset in compile_families(inputs, families).values():
        emit(form.write(ruleset))


def _print_data(inputs: Inputs, form: str) -> None:
    from rulegen.backend import document
    from rulegen.cli.inputs import compile_families
    from rulegen.cli.output import dump

    rulesets = compile_families(inputs, inputs.families())
    about: dict[str, Any] = {"mode": inputs.config.mode, "version": inputs.version, "node": inputs.node.name}
    dump(document(inputs.backend, rulesets, about), form)
