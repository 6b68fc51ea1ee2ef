"""`--format` templates do what docker's do."""

from __future__ import annotations

import pytest

from engine.cli.errors import UsageError
from engine.cli.template import Template

DATA = {
    "Id": "abc",
    "Name": "/web",
    "State": {"Running": True, "Pid": 3, "Health": None},
    "Config": {"Labels": {"a": "b"}, "Env": ["A=1", "B=2"]},
    "NetworkSettings": {
        "Networks": {"bridge": {"IPAddress": "172.17.0.2"}},
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/tcp": None},
    },
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{.Id}}", "abc"),
        ("{{.ID}}", "abc"),
        ("{{.State.Running}} {{.State.Pid}}", "true 3"),
        ("{{json .Config.Env}}", '["A=1","B=2"]'),
        ('{{join .Config.Env ","}}', "A=1,B=2"),
        ("{{range .Config.Env}}[{{.}}]{{end}}", "[A=1][B=2]"),
        ("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "172.17.0.2"),
        ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"),
        (
            "{{range $p, $c := .NetworkSettings.Ports}}{{$p}}={{if $c}}{{(index $c 0).HostPort}}{{end}} {{end}}",
            "80/tcp=8080 81/tcp= ",
        ),
        ('{{index .Config.Labels "a"}}', "b"),
        ("{{.Config.Labels.zz}}", "<no value>"),
        ("{{if eq .State.Pid 3}}three{{else if .Id}}x{{else}}no{{end}}", "three"),
        ("{{if not .State.Running}}off{{else}}on{{end}}", "on"),
        ("{{with .State.Health}}{{.}}{{else}}none{{end}}", "none"),
        ("a {{- .Id -}} b", "aabcb"),
        ('{{.Name | printf "%-6s|"}}', "/web  |"),
        ("{{slice .Name 1}}", "web"),
        ("{{len .Config.Env}}", "2"),
        ("{{upper .Id}}{{/* comment */}}", "ABC"),
        ("{{$x := .Id}}{{$x}}{{$x}}", "abcabc"),
        ("{{if and .Id (gt .State.Pid 2)}}yes{{end}}", "yes"),
        ("{{.Config}}", "map[Env:[A=1 B=2] Labels:map[a:b]]"),
        ("plain", "plain"),
    ],
)
def test_rendering(source: str, text: str) -> None:
    assert Template(source).render(DATA) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{.Stat.Pid}}", 'map has no entry for key "Stat" (did you mean .State?)'),
        ("{{.Id.Pid}}", "can't evaluate field Pid in abc"),
        ("{{.Id", "unclosed action"),
        ("{{jsn .Id}}", 'function "jsn" not defined (did you mean json?)'),
        ("{{range .Config.Env}}", "{{end}} is missing"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{}}", "missing value for command"),
        ("{{$x}}", 'undefined variable "$x"'),
        ("{{index .Config.Env 5}}", "index out of range: 5"),
        ("{{(json .Id}}", "unclosed left paren"),
        ("{{len .State.Pid}}", "error calling len"),
        ("{{range .Id}}{{end}}", "range can't iterate over abc"),
    ],
)
def test_mistakes_are_told(source: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template(source).render(DATA)
    assert message in caught.value.message


def test_a_label_of_a_row_by_its_name() -> None:
    """docker's `{{.Label "x"}}`: its value, nothing where it lacks it, and in a heading the end of its name."""
    from engine.cli.listing import labels_text

    row = {"Names": "web", "Labels": labels_text({"com.my-role": "db"})}
    assert Template('{{.Label "com.my-role"}}{{.Label "other"}}').render(row) == "db"
    assert Template('{{"com.my-role" | .Label}}').render(row) == "db"
    assert Template('{{.Label "com.my-role"}}').render({"Labels": "LABELS"}) == "my role"
    with pytest.raises(UsageError, match="can't give argument to non-function web"):
        Template('{{.Names "x"}}').render(row)
