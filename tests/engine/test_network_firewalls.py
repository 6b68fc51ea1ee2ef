"""Beside the host's own firewall: packets of containers pass where it drops what it does not know, nothing else does
that it dropped before, and it is as it was when the last container has gone. Each on a host of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engine.models import PortMapping
from tests.support.engine import wait_until
from tests.support.hosts import Net, Place, machine_outside, on_a_host_of_its_own, shell

pytestmark = pytest.mark.root

# The shape of each program's own rules for what is forwarded, as far as they judge it.
FIREWALLD = """
table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        jump filter_FORWARD_ZONES
        reject with icmpx type admin-prohibited
    }
    chain filter_FORWARD_ZONES { iifname "nosuch0" accept; }
}
"""
UFW = """
table ip filter {
    chain FORWARD {
        type filter hook forward priority 0; policy drop;
        counter jump ufw-before-forward
        counter jump ufw-reject-forward
    }
    chain ufw-before-forward { ct state related,established accept; icmp type echo-request accept; }
    chain ufw-reject-forward { }
}
table ip6 filter {
    chain FORWARD {
        type filter hook forward priority 0; policy drop;
        counter jump ufw6-before-forward
    }
    chain ufw6-before-forward { ct state related,established accept; }
}
"""
PLAIN = """
table inet filter {
    chain forward { type filter hook forward priority filter; policy drop; }
}
"""
BY_NAME = """
table inet mine {
    chain forward {
        type filter hook forward priority 0; policy accept;
        tcp dport 9000 drop
    }
}
"""
BY_A_JUMP = """
table inet mine {
    chain last { counter drop; }
    chain middle { tcp dport 1 accept; jump last; }
    chain forward { type filter hook forward priority 5; policy accept; counter jump middle; }
}
"""


def reach_in_and_out(base: Path) -> None:
    """The whole story in short: out by masquerade, in by a published port, between neighbours; in both families."""
    net = Net(base)
    try:
        with machine_outside() as outside:
            net.networks.create("dual", ipv6=True)
            net.networks.create("inner", ipv6=True, internal=True)
            number = 8080
            one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number), on="dual")
            two, _ = net.container("two", on="dual")
            serve(one, 80)
            serve(outside, 9000)
            assert one.ask(outside.address, 9000) == f"outside {outside.host}"
            assert one.ask(outside.address6, 9000) == f"outside {outside.host6}"
            assert outside.ask(outside.host, number) == f"one {outside.address}"
            assert outside.ask(outside.host6, number) == f"one {outside.address6}"
            assert two.ask(endpoint.address, 80).startswith("one ")
            assert two.ask(endpoint.address6, 80).startswith("one ")
            # A second start on the same network adds nothing to the host's chains.
            before = shell("nft list ruleset")
            net.container("three", on="dual")
            assert shell("nft list ruleset").count('comment "pydock"') == before.count('comment "pydock"')
            near, there = net.container("near", on="inner")
            far, _ = net.container("far", on="inner")
            serve(near, 80)
            assert far.ask(there.address, 80).startswith("near ")
            assert far.ask(outside.address, 9000, timeout_s=0.5) != "outside"
    finally:
        net.close()


def serve(place: Place, port: int) -> None:
    place.serve(port)
    place.serve(port, ipv6=True)


def without_counters(text: str) -> str:
    return re.sub(r"packets \d+ bytes \d+", "", text)


def test_a_bare_host_gets_forwarding_switched_on(tmp_path: Path) -> None:
    switches = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"

    def story() -> None:
        assert shell(switches) == "0\n0\n"
        net = Net(tmp_path / "four")
        net.container("four")
        net.close()
        assert shell(switches) == "1\n0\n"  # no more than is needed
        shell("ip link add up0 type bridge; echo 1 > /proc/sys/net/ipv6/conf/up0/accept_ra")
        reach_in_and_out(tmp_path)
        assert shell(switches) == "1\n1\n"
        # A host that learns its way out from a router goes on doing so.
        assert shell("cat /proc/sys/net/ipv6/conf/up0/accept_ra") == "2\n"
        assert shell("nft list ruleset") == ""

    on_a_host_of_its_own(story)


@pytest.mark.parametrize("ruleset", [FIREWALLD, UFW, PLAIN, BY_A_JUMP], ids=["firewalld", "ufw", "plain", "jump"])
def test_packets_pass_beside_rules_that_drop_the_unknown(tmp_path: Path, ruleset: str) -> None:
    def story() -> None:
        subprocess.run(["nft", "-f", "-"], input=ruleset, text=True, check=True)
        before = without_counters(shell("nft list ruleset"))
        reach_in_and_out(tmp_path)
        assert without_counters(shell("nft list ruleset")) == before

    on_a_host_of_its_own(story)


# Holds its table alone, as newer ones do; its zone of trust is a folder with a file for each interface.
OWNER = """
import os, subprocess, sys, time
folder, ruleset = sys.argv[1:]
nft = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
def tell(command):
    print(command, file=nft.stdin, flush=True)
for line in ruleset.splitlines():
    tell(line)
while "reject" not in subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout:
    time.sleep(0.02)
print("ready", flush=True)
there = set()
while True:
    wanted = {name for name in os.listdir(folder) if not name.startswith(".")}
    for name in wanted - there:
        tell('add element inet firewalld trusted { "%s" }' % name)
    for name in there - wanted:
        tell('delete element inet firewalld trusted { "%s" }' % name)
    for name in wanted:
        if '"%s"' % name in subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout:
            open(f"{folder}/.{name}", "w").close()
    there = wanted
    time.sleep(0.02)
"""
COMMAND = """#!/bin/sh
name=${2#*=}
echo "$2" >>FOLDER/.log
case $2 in
    --add-interface=*) : >FOLDER/$name; while [ ! -e FOLDER/.$name ]; do sleep 0.05; done ;;
    --query-interface=*) [ -e FOLDER/$name ] ;;
    --remove-interface=*) rm FOLDER/$name FOLDER/.$name ;;
esac
"""
OWNED = """\
add table inet firewalld { flags owner; }
add set inet firewalld trusted { type ifname; }
add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }
add rule inet firewalld filter_FORWARD ct state { established, related } accept
add rule inet firewalld filter_FORWARD iifname @trusted accept
add rule inet firewalld filter_FORWARD oifname @trusted accept
add rule inet firewalld filter_FORWARD reject with icmpx type admin-prohibited
"""


def test_a_firewalld_that_owns_its_table_is_asked_by_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "zone"
    folder.mkdir()
    command = tmp_path / "firewall-cmd"
    command.write_text(COMMAND.replace("FOLDER", str(folder)))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def story() -> None:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder), OWNED], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            assert owner.stdout
            assert owner.stdout.readline() == "ready\n"
            reach_in_and_out(tmp_path / "engine")
            assert [path for path in folder.iterdir() if not path.name.startswith(".")] == []
            told = [line.split("=")[0] for line in (folder / ".log").read_text().splitlines()]
            assert told.count("--add-interface") == told.count("--remove-interface") == 2
        finally:
            os.killpg(owner.pid, signal.SIGKILL)
            owner.wait()

    on_a_host_of_its_own(story)


def test_what_the_host_drops_by_name_stays_dropped(tmp_path: Path) -> None:
    def story() -> None:
        subprocess.run(["nft", "-f", "-"], input=BY_NAME, text=True, check=True)
        before = without_counters(shell("nft list table inet mine"))
        net = Net(tmp_path)
        try:
            with machine_outside() as outside:
                one, _ = net.container("one")
                for port in (9000, 9001):
                    outside.serve(port)
                assert one.ask(outside.address, 9001) == f"outside {outside.host}"
                assert one.ask(outside.address, 9000, timeout_s=0.5) == "TimeoutError"
                assert without_counters(shell("nft list table inet mine")) == before
        finally:
            net.close()

    on_a_host_of_its_own(story)


@pytest.mark.parametrize("program", ["iptables-nft", "iptables-legacy"])
@pytest.mark.parametrize("docker_user", [True, False], ids=["docker", "plain"])
def test_packets_pass_beside_a_firewall_that_drops_forwarding(tmp_path: Path, program: str, docker_user: bool) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    programs = (program, program.replace("iptables", "ip6tables"))

    def story() -> None:
        for each in programs:
            try:
                shell(f"{each} -P FORWARD DROP")
            except subprocess.CalledProcessError:
                pytest.skip(f"this kernel does not do {each}")
            if docker_user:
                shell(f"{each} -N DOCKER-USER; {each} -A DOCKER-USER -j RETURN; {each} -I FORWARD -j DOCKER-USER")
        before = [shell(f"{each} -S") for each in programs]
        reach_in_and_out(tmp_path)
        assert [shell(f"{each} -S") for each in programs] == before

    on_a_host_of_its_own(story)


@pytest.mark.serial
def test_packets_pass_beside_a_running_dockerd(tmp_path: Path) -> None:
    if shutil.which("dockerd") is None:
        pytest.skip("dockerd is not installed")

    def story() -> None:
        base = tempfile.mkdtemp(prefix="dockerd-")
        options = f"--data-root {base}/lib --exec-root {base}/run --pidfile {base}/pid --host unix://{base}/sock"
        with open(f"{base}/log", "wb") as log:
            daemon = subprocess.Popen(["dockerd", *options.split()], stdout=log, stderr=log)
        try:
            wait_until("dockerd to set its rules up", lambda: "DOCKER-USER" in shell("iptables -S FORWARD"), 60)
            asked = ["docker", "--host", f"unix://{base}/sock", "info"]
            wait_until("dockerd to answer", lambda: subprocess.run(asked, capture_output=True).returncode == 0, 60)
            assert "-P FORWARD DROP" in shell("iptables -S FORWARD")
            before = shell("iptables -S")
            reach_in_and_out(tmp_path)
            assert shell("iptables -S") == before
        finally:
            daemon.terminate()
            daemon.wait(timeout=30)
            shutil.rmtree(base, ignore_errors=True)

    on_a_host_of_its_own(story)
