import Foundation

/// How many sockets and files the process may have open.
package enum DescriptorLimit {
    /// Takes what the system allows at most: the usual 1,024 are fewer than the connections that a gateway may have.
    package static func raise() {
        var limit = rlimit()
        guard getrlimit(descriptors, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Where it fails all goes on, with fewer connections.
        _ = setrlimit(descriptors, &limit)
    }

    #if canImport(Glibc)
        private static let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let descriptors = RLIMIT_NOFILE
    #endif
}
