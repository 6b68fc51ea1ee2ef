"""linux.intelRdt over a directory that looks like resctrl: which files are written, made and removed, by the rules
of config-linux.md, "IntelRdt"."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime import resctrl
from runtime.errors import RuntimeFault


def a_class(root: Path, name: str, schemata: str) -> Path:
    directory = root / name
    (directory / "mon_groups").mkdir(parents=True)
    (directory / "schemata").write_text(schemata)
    (directory / "tasks").write_text("")
    return directory


def test_an_existing_class_is_joined_as_it_is_and_stays(tmp_path: Path) -> None:
    directory = a_class(tmp_path, "gold", "L3:0=7f0;1=1f\n")
    group = resctrl.open_group({"closID": "gold"}, "c1", str(tmp_path))
    group.add(42)
    assert (directory / "tasks").read_text() == "42"
    group.remove()
    assert directory.is_dir()
    assert (directory / "schemata").read_text() == "L3:0=7f0;1=1f\n"


def test_a_class_that_is_absent_and_has_no_schema_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFault) as caught:
        resctrl.open_group({"closID": "gold"}, "c1", str(tmp_path))
    assert caught.value.path == "linux.intelRdt.closID"
    assert not list(tmp_path.iterdir())


def test_an_existing_class_must_have_the_schema_that_is_asked_for(tmp_path: Path) -> None:
    a_class(tmp_path, "gold", "    L3:0=00ff;1=00ff\n    MB:0= 20;1= 70\n")
    resctrl.open_group(
        {"closID": "gold", "l3CacheSchema": "L3:0=ff;1=ff", "memBwSchema": "MB:0=20;1=70"}, "c", str(tmp_path)
    )
    with pytest.raises(RuntimeFault, match="L3"):
        resctrl.open_group({"closID": "gold", "schemata": ["L3:0=f;1=ff"]}, "c", str(tmp_path))


def test_the_default_class_is_the_root(tmp_path: Path) -> None:
    a_class(tmp_path, ".", "L3:0=fff\n")
    resctrl.open_group({"closID": "/"}, "c1", str(tmp_path)).add(7)
    assert (tmp_path / "tasks").read_text() == "7"


def test_without_a_class_the_container_gets_one_that_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, str]] = []
    monkeypatch.setattr(resctrl, "_write", lambda path, text, _place: written.append((Path(path).name, text)))
    wanted = {"schemata": ["L2:0=f"], "memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=f"}
    group = resctrl.open_group(wanted, "c1", str(tmp_path))
    assert written == [("schemata", "L3:0=f\n"), ("schemata", "MB:0=20\n"), ("schemata", "L2:0=f\n")]
    assert (tmp_path / "c1").is_dir()
    resctrl.kept_group(group.kept()).remove()
    assert not list(tmp_path.iterdir())


def test_a_monitoring_group_has_the_containers_name_and_goes_with_it(tmp_path: Path) -> None:
    directory = a_class(tmp_path, "gold", "L3:0=f\n")
    group = resctrl.open_group({"closID": "gold", "enableMonitoring": True}, "c1", str(tmp_path))
    assert (directory / "mon_groups/c1").is_dir()
    assert group.monitor == str(directory / "mon_groups/c1")
    group.remove()
    assert not (directory / "mon_groups/c1").exists()
    assert directory.is_dir()


@pytest.mark.parametrize(
    ("rdt", "place"),
    [
        ({"memBwSchema": "L3:0=f"}, "linux.intelRdt.memBwSchema"),
        ({"l3CacheSchema": "L3:0=f\nMB:0=1"}, "linux.intelRdt.l3CacheSchema"),
        ({"schemata": ["L3:0=f", "a\nb"]}, "linux.intelRdt.schemata[1]"),
        ({"closID": "../x"}, "linux.intelRdt.closID"),
        ({"closID": "mon_groups"}, "linux.intelRdt.closID"),
    ],
)
def test_what_is_malformed_names_its_place(rdt: dict[str, object], place: str) -> None:
    with pytest.raises(RuntimeFault) as caught:
        resctrl.check(rdt)
    assert caught.value.path == place
