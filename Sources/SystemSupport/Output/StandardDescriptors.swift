#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The descriptors 0, 1 and 2 of the process.
package enum StandardDescriptors {
    /// Occupies those of the three descriptors that are closed. Otherwise the next file or socket of the process would
    /// get the number of a closed one, and the program would print into it.
    ///
    /// The place is taken by `/dev/null`, opened in the direction that the program does not use. So reading from a
    /// closed standard input still fails and does not look like an empty input. Writing to a closed output still fails,
    /// too, so that no result is lost silently.
    ///
    /// Also makes the process ignore SIGPIPE, so that a write to a closed pipe fails instead of ending the process.
    /// Call this before anything else: the system gives the lowest free number to the next descriptor.
    package static func secure() {
        signal(SIGPIPE, SIG_IGN)
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
            let direction = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY
            // Where a container has no /dev, the root directory stands in: it can be neither read nor written.
            if open("/dev/null", direction) < 0 { _ = open("/", O_RDONLY | O_DIRECTORY) }
        }
    }
}
