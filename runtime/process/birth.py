"""Bringing init into the world: one clone with all namespaces, or a stage process where that is not enough."""

from __future__ import annotations

import os

from .. import idmap, namespaces
from ..errors import SetupFailed
from ..kernel import calls
from ..kernel import constants as k
from . import messages
from .messages import Channel, as_fault, channel_pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .init import Init
    from .plan import InitPlan

_SIGKILL = 9


def give_birth(plan: InitPlan, init: Init, ours: Channel, theirs: Channel, cgroup_fd: int) -> int:
    """Clone init as a direct child of the caller, into a cgroup if one is given, and write its id maps; its pid.

    Raises SetupFailed; then nothing is left behind. Closes `theirs` in the caller.
    """
    calls.assert_single_thread()
    if plan.namespaces.needs_stage():
        return _through_stage(plan, init, ours, theirs)
    try:
        pid = calls.clone(plan.namespaces.new, cgroup_fd)
    except OSError as error:
        raise _refused(error) from error
    if pid == 0:
        ours.close()
        init.run(needs_maps=bool(plan.namespaces.new & k.CLONE_NEWUSER), joins=bool(plan.namespaces.joins))
    theirs.close()
    if plan.namespaces.new & k.CLONE_NEWUSER:
        try:
            idmap.write_maps(pid, plan.uid_mappings, plan.gid_mappings)
            ours.send(messages.MAPPED)
        except BaseException:
            os.kill(pid, _SIGKILL)
            os.waitpid(pid, 0)
            raise
    return pid


def _through_stage(plan: InitPlan, init: Init, ours: Channel, theirs: Channel) -> int:
    stage_ours, stage_theirs = channel_pair()
    stage = calls.clone(0)
    if stage == 0:
        ours.close()
        stage_ours.close()
        _run_stage(plan, init, stage_theirs)
    theirs.close()
    stage_theirs.close()
    pid = 0
    try:
        while True:
            kind, fields, _fd = stage_ours.receive()
            if kind == messages.MAP_ME:
                idmap.write_maps(stage, plan.uid_mappings, plan.gid_mappings)
                stage_ours.send(messages.MAPPED)
            elif kind == messages.OFFSETS:
                namespaces.write_time_offsets(stage, plan.time_offsets)
                stage_ours.send(messages.OFFSETS_SET)
            elif kind == messages.BORN:
                pid = int(fields[0])
                break
            else:
                raise SetupFailed("the process that makes the namespaces was killed", path="linux.namespaces")
    finally:
        if not pid:
            os.kill(stage, _SIGKILL)
        os.waitpid(stage, 0)
        stage_ours.close()
    return pid


def _run_stage(plan: InitPlan, init: Init, channel: Channel) -> NoReturn:
    try:
        if os.geteuid() == 0:
            # Another user's creator could not write our maps.
            calls.prctl(k.PR_SET_DUMPABLE, 0)
        calls.prctl(k.PR_SET_PDEATHSIG, _SIGKILL)
        wanted = plan.namespaces
        wanted.join()
        if wanted.new & k.CLONE_NEWUSER:
            calls.unshare(k.CLONE_NEWUSER)
            channel.send(messages.MAP_ME)
            channel.expect(messages.MAPPED)
            namespaces.become_root()
        if wanted.new & ~k.CLONE_NEWUSER:
            calls.unshare(wanted.new & ~k.CLONE_NEWUSER)
        if wanted.new & k.CLONE_NEWTIME and plan.time_offsets:
            channel.send(messages.OFFSETS)
            channel.expect(messages.OFFSETS_SET)
        calls.prctl(k.PR_SET_DUMPABLE, 0)
        pid = calls.clone(k.CLONE_PARENT)
        if pid == 0:
            channel.close()
            init.run(needs_maps=False, joins=False)
        channel.send(messages.BORN, str(pid))
    except BaseException as error:
        try:
            channel.send_failure(as_fault(error, "namespaces"))
        except OSError:
            pass
    os._exit(0)


def _refused(error: OSError) -> SetupFailed:
    number = error.errno or 0
    hint = {
        1: "New namespaces need root, or a user namespace that this host allows.",
        28: "A limit on namespaces is reached (/proc/sys/user/max_*_namespaces).",
        11: "The limit on processes is reached.",
    }.get(number, "")
    return SetupFailed(os.strerror(number), path="linux.namespaces", hint=hint, errno=number)
