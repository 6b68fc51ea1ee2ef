"""Why runtimes differ in a conformance test, by its name; with parameters in brackets where they differ by those.

Each text says what the specification wants, by which sentence of it, and which runtime does otherwise.
"""

from __future__ import annotations

_NEWER = (
    "config.md, Extensibility: {name} is newer than the version that fails, which ignores it as an unknown property"
)

_GROUPS: dict[str, tuple[str, ...]] = {
    "runtime.md, Delete: an error for what is not `stopped`. All three runtimes delete a created container, as podman "
    "and containerd do it without `--force` after a start that failed; the one point where this runtime is knowingly "
    "not what the specification says": ("test_delete_of_a_created_container",),
    "config.md, Process: `process` is required when `start` is called, so `create` works without it and `start` is the "
    "error. runc refuses at `create`": ("test_start_without_a_process",),
    "runtime.md, Lifecycle 9: the hooks run once the program has been executed, before `start` returns. runc 1.1.5 "
    "runs them as part of `create`, and their failure fails it": (
        "test_a_failing_poststart_hook_stops_the_container",
        "test_poststart_runs_before_start_returns",
        "test_the_order_of_the_kinds",
        "test_the_status_on_the_input[poststart-running]",
    ),
    "runtime.md, Lifecycle 7: an error. runc 1.1.5 returns from `start` before the hook of its init has run, so "
    "`start` succeeds and the container has stopped a moment later": (
        "test_a_failing_start_container_hook_stops_the_container",
    ),
    "runtime.md, Lifecycle 13: the remaining hooks run as if the one that failed had succeeded. runc 1.1.5 leaves them "
    "out": ("test_a_failing_poststop_hook_is_a_warning",),
    "config.md, POSIX-platform Hooks: `path` must be absolute. runc and crun look at the hooks when they run them, and "
    "for poststart and poststop that is after the program was executed": (
        "test_a_relative_path_is_refused[poststop]",
        "test_a_relative_path_is_refused[poststart]",
    ),
    "config.md, POSIX-platform Hooks: `timeout` must be greater than zero. crun takes 0 as none": (
        "test_a_timeout_above_zero[0]",
    ),
    "runtime.md, State: the status is `creating` until `create` has done all of it, `created` until the program is "
    "executed. crun tells the hooks `created` and a word of its own, `starting`": (
        "test_the_status_on_the_input[prestart-creating]",
        "test_the_status_on_the_input[createRuntime-creating]",
        "test_the_status_on_the_input[createContainer-creating]",
        "test_the_status_on_the_input[startContainer-created]",
        "test_status_is_creating_for_create_runtime_hooks",
    ),
    "runtime.md, State: `bundle` is the absolute path of the bundle. crun tells startContainer hooks `/`": (
        "test_the_state_is_on_the_input[startContainer]",
    ),
    "runtime.md, State: for hooks in the container's namespace `pid` is the one that the container sees. crun tells "
    "createContainer hooks 0": ("test_pid_for_hooks_of_the_container",),
    "config-linux.md, Namespaces: a type that is listed twice is an error. crun takes it once": (
        "test_a_namespace_twice",
    ),
    "runtime.md, Create: an error for an id that is not valid, which is for the runtime to say. crun takes any that "
    "has no slash": ("test_an_invalid_id_is_refused[a b]",),
    "config-linux.md, The Container Process State: `ociVersion` is the version of the specification that the state "
    "complies with. crun 1.8.1 sends one before 1.0": ("test_notify",),
    "runtime.md, Lifecycle 3 to 5 and 13: after a hook of `create` that failed the container is destroyed, and the "
    "poststop hooks run. crun does not run them": ("test_a_failing_hook_of_create_leads_to_poststop",),
    "config.md, POSIX process: a limit that is listed twice is an error. crun takes the last": (
        "test_an_rlimit_listed_twice",
    ),
    "config.md, Linux process: a capability that cannot be mapped is told in a warning. crun says nothing": (
        "test_an_unknown_capability",
    ),
    "config.md, Process: `cwd` is absolute, and `args` has at least one entry. crun accepts a relative `cwd`, and runs "
    "a shell without `args`": ("test_cwd_is_absolute", "test_args_are_required"),
    "config.md, Linux mount options: of two that contradict each other the later wins, as with mount(8). crun 1.8.1 "
    "adds what an option sets and forgets what one clears": (
        "test_options_of_a_mount[ro,rw--]",
        "test_options_of_a_mount[nosuid,suid--]",
        "test_options_of_a_mount[nodev,dev--]",
        "test_options_of_a_mount[noexec,exec--]",
        "test_options_of_a_mount[noatime,atime--]",
        "test_options_of_a_mount[nodiratime,diratime--]",
        "test_options_of_a_mount[lazytime,nolazytime--]",
    ),
    "config.md, Linux mount options: `loud`, `silent`, `iversion` and `noiversion` are to be implemented (MUST), "
    "`nosymfollow` and `rnoatime` should be. crun 1.8.1 gives them to the file system, or to the kernel in a way that "
    "it refuses": (
        "test_options_of_a_mount[loud--]",
        "test_options_of_a_mount[silent--]",
        "test_options_of_a_mount[iversion--]",
        "test_options_of_a_mount[noiversion--]",
        "test_nosymfollow",
        "test_recursive_options[rnoatime-noatime]",
    ),
    "config.md, Linux mount options: `shared` and `unbindable` say how that mount propagates. With crun 1.8.1 it is "
    "private": ("test_propagation",),
    "config-linux.md, CPU: shares become a weight. crun 1.8.1 and runc before 1.3.2 use a straight line, which gives "
    "the default of 1024 a weight of 39; the newer formula, of runc 1.3.2 and this runtime, gives 100": (
        "test_cpu_shares[1024-100]",
    ),
    "config-linux.md, RDMA, and runtime.md, Create: what cannot be applied is an error. crun 1.8.1 does not read "
    "`rdma`": ("test_rdma_on_a_host_without_the_device",),
    "config-linux.md, Cgroup ownership: the owner changes if and only if the cgroup file system is mounted writable "
    "(SHOULD). crun changes it in every user namespace": ("test_cgroup_ownership_without_a_writable_mount",),
    "config-linux.md, Cgroups Path: an absolute path counts from the mount point, and runtimes may call paths invalid. "
    "crun refuses one with `..`; runc and this runtime end it at the mount point": ("test_a_path_that_climbs",),
    "config-linux.md, Seccomp: without NOTIFY `listenerPath` is ignored. crun connects to it all the same": (
        "test_a_listener_without_notify",
    ),
    "config-linux.md, Mount Label, and runtime.md, Create: a label that the host cannot apply is an error. crun "
    "ignores it where there is no SELinux": ("test_a_mount_label_without_selinux", "test_nothing_is_left[mountLabel]"),
    "config.md, Valid values: an error for what is invalid. runc 1.1.5 and crun 1.8.1 do not look at this one": (
        "test_a_version_that_is_none_is_refused",
        "test_an_empty_annotation_key",
        "test_an_invalid_value",
        "test_a_weight_device_without_weight",
        "test_a_device_without_numbers",
        "test_a_rule_without_names",
        "test_metadata_without_a_listener",
        "test_relative_masked_paths",
        "test_a_flag_of_personality",
        "test_rdma_without_a_limit",
        "test_an_annotation_is_a_string",
        "test_an_unknown_clock",
    ),
    _NEWER.format(name="scheduler, ioPriority"): (
        "test_scheduler",
        "test_an_unknown_scheduler",
        "test_io_priority",
        "test_an_unknown_io_priority",
    ),
    _NEWER.format(name="execCPUAffinity"): ("test_exec_affinity",),
    _NEWER.format(name="id mappings of mounts, idmap, ridmap"): (
        "test_an_id_mapped_mount",
        "test_one_mapping_alone_is_refused",
        "test_idmap_without_mappings",
    ),
    _NEWER.format(name="domainname"): ("test_domainname",),
    _NEWER.format(name="time namespaces"): ("test_time_offsets",),
    _NEWER.format(name="burst, idle"): ("test_cpu_burst", "test_cpu_burst_above_the_quota", "test_cpu_idle"),
    _NEWER.format(name="network devices"): (
        "test_a_network_device",
        "test_a_network_device_keeps_what_it_has",
        "test_a_template_name",
        "test_a_name_that_is_taken",
        "test_a_device_that_is_not_there",
        "test_a_device_without_a_namespace",
        "test_nothing_is_left[netDevices]",
    ),
    _NEWER.format(name="memory policy"): ("test_memory_policy", "test_an_unknown_memory_policy"),
    "config-linux.md, Personality: runc 1.1.5 does not set it": ("test_personality[LINUX32-00000008]",),
    "config-linux.md, IntelRdt: an error where no resctrl is mounted. runc and crun go on without": (
        "test_rdt_without_resctrl",
        "test_nothing_is_left[intelRdt]",
    ),
    "config.md, Linux mount options: `relatime` after `noatime` wins, as the later of two options. runc 1.1.5 sets the "
    "bits of both": ("test_options_of_a_mount[noatime,relatime--]",),
    "config.md, Linux mount options: `defaults` is an option that every mount may have. runc 1.1.5 gives it to the "
    "file system, which refuses it": ("test_options_of_a_mount[defaults--]", "test_mount_options"),
    "config-linux.md, PIDs: 0 is a limit and to be taken as one (SHOULD). runc 1.1.5 and crun 1.8.1 take it as none": (
        "test_pids[0-0]",
    ),
    "config-linux.md, Devices: an error when another file is at the path. runc and crun leave that file in place and "
    "go on": ("test_another_file_at_the_path",),
    "config-linux.md, Seccomp: an error number for an action that has none is an error. runc and crun ignore it": (
        "test_errno_for_an_action_without",
    ),
    "config-linux.md, Seccomp: `flags`. Debian's runc 1.1.5 says that it does not support any yet": ("test_flags",),
    "config-linux.md, Rootfs Mount Propagation: the root of the container is shared, unbindable or a slave as the "
    "config says. runc 1.1.5 makes its root private, and cannot bind one that is unbindable": (
        "test_rootfs_propagation",
        "test_rootfs_is_a_slave",
    ),
}
EXPLAINED: dict[str, str] = {test: text for text, tests in _GROUPS.items() for test in tests}
