#pragma once
// System calls that Swift cannot reach: variadic ones, and those for which the C library has no function.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

// The numbers are the same on every architecture but Alpha; headers older than the kernel lack them.
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/// Opens what `path` names below `folder`. The kernel follows no symbolic link, crosses no mount point and never leaves
/// the folder (Linux 5.6: RESOLVE_NO_XDEV, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH).
static inline int sluice_open_beneath(int folder, const char *path, int flags) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {(uint64_t)(unsigned)flags, 0, 0x01 | 0x04 | 0x08};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/// Renames only where nothing has the new name (Linux 3.15: RENAME_NOREPLACE).
static inline int sluice_rename_if_absent(int from_folder, const char *from, int folder, const char *to) {
    return (int)syscall(SYS_renameat2, from_folder, from, folder, to, 1u);
}

/// `statfs.f_type` of an open file.
static inline int sluice_file_system_type(int descriptor, uint64_t *type) {
    struct statfs status;
    if (fstatfs(descriptor, &status) != 0) return -1;
    *type = (uint64_t)(uint32_t)status.f_type;
    return 0;
}

/// The attributes of an open file that `chattr` sets (FS_IOC_GETFLAGS, which writes an int).
static inline int sluice_file_flags(int descriptor, uint32_t *flags) {
    long value = 0;
    if (ioctl(descriptor, _IOR('f', 1, long), &value) != 0) return -1;
    memcpy(flags, &value, sizeof *flags);
    return 0;
}

/// When an open file was made; `ENOTSUP` where the file system does not keep it.
static inline int sluice_birth_time(int descriptor, int64_t *seconds, uint32_t *nanoseconds) {
#ifdef STATX_BTIME
    struct statx status;
    if (statx(descriptor, "", AT_EMPTY_PATH, STATX_BTIME, &status) != 0) return -1;
    if (status.stx_mask & STATX_BTIME) {
        *seconds = status.stx_btime.tv_sec;
        *nanoseconds = status.stx_btime.tv_nsec;
        return 0;
    }
#endif
    errno = ENOTSUP;
    return -1;
}

/// A socket on which the kernel reports changes of network interfaces and of their addresses. It does not block. The
/// numbers and the address are those of <linux/netlink.h> and <linux/rtnetlink.h>. To include those headers would take
/// the types of <sys/socket.h> away from the C library's module.
static inline int sluice_open_link_reports(void) {
    struct {
        uint16_t family, padding;
        uint32_t process, groups;
    } address = {16, 0, 0, 0x1 | 0x10 | 0x100};  // AF_NETLINK; RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
    const int raw = 3, route = 0;
    int descriptor = (int)syscall(SYS_socket, 16, raw | O_CLOEXEC | O_NONBLOCK, route);
    if (descriptor < 0) return -1;
    if (syscall(SYS_bind, descriptor, &address, sizeof address) == 0) return descriptor;
    int number = errno;
    close(descriptor);
    errno = number;
    return -1;
}
