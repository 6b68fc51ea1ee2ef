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
    "config.md, POSIX-platform Hooks: `path` must be absolute. runc looks at the hooks when it runs them, and for "
    "poststop that is after the container has run": ("test_a_relative_path_is_refused[poststop]",),
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
