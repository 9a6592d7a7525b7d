import CLinux

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// System calls that the C library does not offer to Swift, or whose names are also names of methods in this target. A
/// call that fails returns a negative number and sets `errno`. Paths are relative to a folder, which may be `AT_FDCWD`.
package enum SystemCalls {
    static func open(_ folder: CInt, _ path: String, _ flags: CInt, _ permissions: UInt32 = 0) -> CInt {
        openat(folder, path, flags | O_CLOEXEC, permissions)
    }

    /// Opens what a path names below a folder. The kernel follows no symbolic link, crosses no mount point and does not
    /// leave the folder (`openat2`, Linux 5.6).
    package static func openBeneath(_ folder: CInt, _ path: UnsafePointer<CChar>, _ flags: CInt) -> CInt {
        sluice_open_beneath(folder, path, flags | O_CLOEXEC)
    }

    static func rename(_ folder: CInt, _ path: String, to target: CInt, _ name: String) -> CInt {
        renameat(folder, path, target, name)
    }

    /// Renames only if nothing has the new name; otherwise fails with `EEXIST`. Fails with `EINVAL` or `ENOSYS` if the
    /// file system or the kernel cannot do this.
    package static func renameIfAbsent(
        _ folder: CInt, _ path: UnsafePointer<CChar>, to target: CInt, _ name: UnsafePointer<CChar>
    ) -> CInt {
        sluice_rename_if_absent(folder, path, target, name)
    }

    static func link(_ folder: CInt, _ path: String, as target: CInt, _ name: String) -> CInt {
        linkat(folder, path, target, name, 0)
    }

    /// The type (`statfs.f_type`) of the file system that an open file is on.
    package static func fileSystemType(_ descriptor: CInt, _ type: inout UInt64) -> CInt {
        sluice_file_system_type(descriptor, &type)
    }

    static func flags(_ descriptor: CInt, _ flags: inout UInt32) -> CInt {
        sluice_file_flags(descriptor, &flags)
    }

    /// Opens a socket on which the kernel reports changes of network interfaces and of their addresses (netlink). A
    /// read from it does not block.
    package static func openLinkReports() -> CInt {
        sluice_open_link_reports()
    }

    static func birthTime(_ descriptor: CInt, _ seconds: inout Int64, _ nanoseconds: inout UInt32) -> CInt {
        sluice_birth_time(descriptor, &seconds, &nanoseconds)
    }
}
