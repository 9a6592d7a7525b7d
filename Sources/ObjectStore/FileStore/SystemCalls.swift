import CLinux

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// System calls that `OpenFolder` and `OpenFile` need and that Swift cannot import from the C library. On failure
/// each returns a negative number and sets `errno`.
enum SystemCalls {
    static func openBeneath(_ folder: CInt, _ name: String, _ flags: CInt) -> CInt {
        sluice_open_beneath(folder, name, flags | O_CLOEXEC)
    }

    static func open(_ folder: CInt, _ name: String, _ flags: CInt) -> CInt {
        sluice_openat(folder, name, flags | O_CLOEXEC)
    }

    static func rename(_ path: String, into folder: CInt, _ name: String) -> CInt {
        renameat(AT_FDCWD, path, folder, name)
    }

    static func renameIfAbsent(_ path: String, into folder: CInt, _ name: String) -> CInt {
        sluice_rename_if_absent(path, folder, name)
    }

    static func link(_ path: String, into folder: CInt, _ name: String) -> CInt {
        linkat(AT_FDCWD, path, folder, name, 0)
    }

    static func fileSystemType(_ descriptor: CInt, _ type: inout UInt64) -> CInt {
        sluice_file_system_type(descriptor, &type)
    }

    static func flags(_ descriptor: CInt, _ flags: inout UInt32) -> CInt {
        sluice_file_flags(descriptor, &flags)
    }

    static func birthTime(_ descriptor: CInt, _ seconds: inout Int64, _ nanoseconds: inout UInt32) -> CInt {
        sluice_birth_time(descriptor, &seconds, &nanoseconds)
    }
}
