import Foundation

/// The limit on the number of sockets and files that the process may have open.
package enum DescriptorLimit {
    /// Raises the limit to the maximum that the system allows. A gateway may have more connections than the usual limit
    /// of 1,024.
    package static func raise() {
        var limit = rlimit()
        guard getrlimit(descriptors, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // A failure is ignored: the program then works with fewer connections.
        _ = setrlimit(descriptors, &limit)
    }

    #if canImport(Glibc)
        private static let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let descriptors = RLIMIT_NOFILE
    #endif
}
