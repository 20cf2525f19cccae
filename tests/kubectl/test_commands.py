"""The command line: what is ours to say where kubectl would need a cluster."""

import pytest

from rulegen.kubectl import Cluster, run
from rulegen.kubectl.age import moment
from rulegen.kubectl.flags import Flag, FlagSet, boolean

NOW = moment("2026-11-23T12:00:00Z")
NOTHING = Cluster([])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("get svc --watch", "rulegen get has no --watch"),
        ("get --raw=/api", "rulegen get has no --raw"),
        ("get -f app.yaml", "rulegen get has no --filename"),
        (
            "describe -f app.yaml",
            "rulegen describe takes its objects from rulegen's input, not from --filename",
        ),
        (
            "get svc -o go-template={{.kind}}",
            "rulegen does not print go-template: use -o name, yaml, json or",
        ),
        ("get svc --template={{.kind}}", "rulegen does not print go-template"),
        ("get svc --help", "rulegen has no manual of kubectl's: see 'kubectl get --help'"),
        ("create", "rulegen has no manual of kubectl's: see 'kubectl create --help'"),
        ("create deployment web", "rulegen creates services only, no deployment"),
        ("apply", 'unknown command "apply" for "kubectl"'),
    ],
)
def test_what_needs_a_cluster_or_a_manual_is_refused(line: str, told: str) -> None:
    outcome = run(NOTHING, line.split(), NOW)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {told}")


def test_the_program_may_be_called_otherwise() -> None:
    told = run(NOTHING, ["get", "--nope"], NOW, program="rulegen").stderr
    assert told == "error: unknown flag: --nope\nSee 'rulegen get --help' for usage.\n"


def test_the_same_objects_and_moment_print_the_same() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "default"}}
    outcomes = {run([service], ["get", "svc"], NOW) for _ in range(3)}
    assert len(outcomes) == 1


def test_of_two_objects_of_one_name_the_later_counts() -> None:
    def config(value: str) -> dict[str, object]:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c", "namespace": "default"},
            "data": {"k": value},
        }

    told = run([config("old"), config("new")], ["get", "cm", "c", "-o", "jsonpath={.data.k}"], NOW)
    assert told.stdout == "new"


FLAGS = FlagSet(
    [
        Flag("name", short="n"),
        boolean("all", "A"),
        Flag("count", "int", default=1),
        Flag("list", "strings", short="l", default=()),
        Flag("mode", default="off", bare="on"),
    ]
)


def test_a_bool_takes_no_value_but_after_an_equals_sign() -> None:
    parsed = FLAGS.parse(["--all", "false", "-n", "x"])
    assert parsed.arguments == ("false",)
    assert parsed.on("all")
    assert not FLAGS.parse(["-A=false"]).on("all")


def test_short_flags_go_together_and_the_last_takes_the_value() -> None:
    parsed = FLAGS.parse(["-Anx", "-A", "-l", "a,b", "-lc"])
    assert parsed.text("name") == "x"
    assert parsed.texts("list") == ("a", "b", "c")


def test_a_flag_with_a_bare_value_does_not_take_the_next_word() -> None:
    parsed = FLAGS.parse(["--mode", "x", "--count", "0x10"])
    assert (parsed.text("mode"), parsed.arguments, parsed.number("count")) == ("on", ("x",), 16)


def test_all_is_arguments_after_two_dashes() -> None:
    parsed = FLAGS.parse(["a", "--", "--all", "-n"])
    assert (parsed.arguments, parsed.before_dash) == (("a", "--all", "-n"), 1)
    assert not parsed.given("all")
