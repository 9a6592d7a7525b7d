import Foundation

/// The limit on the number of sockets and files that the process may have open.
package enum DescriptorLimit {
    /// Fewest descriptors with which the programs work. With fewer, libraries that they use end the process.
    package static let fewest = 40

    /// The usual limit of a process. A child process inherits the limit, and programs that use `select` fail with a
    /// higher one. So a program that starts others must not raise its limit further.
    package static let usual = 1_024

    /// The number of sockets and files that the process may have open now.
    package static var current: Int {
        var limit = rlimit()
        guard getrlimit(descriptors, &limit) == 0 else { return usual }
        return Int(clamping: limit.rlim_cur)
    }

    /// Raises the limit to the maximum that the system allows, but not beyond `wanted`. A gateway, for example, may
    /// have more connections than the usual limit.
    package static func raise(to wanted: Int = .max) {
        var limit = rlimit()
        guard getrlimit(descriptors, &limit) == 0 else { return }
        let raised = min(limit.rlim_max, rlim_t(clamping: wanted))
        guard limit.rlim_cur < raised else { return }
        limit.rlim_cur = raised
        // A failure is ignored: the program then works with fewer connections.
        _ = setrlimit(descriptors, &limit)
    }

    /// Says that a limit is too low for the programs; `nil` if it suffices.
    package static func shortage(of limit: Int) -> String? {
        guard limit < fewest else { return nil }
        return "this process may have only \(limit) files open at once, and it needs \(fewest)"
    }

    /// What the user can do about a limit that is too low.
    package static let advice = "raise the limit (ulimit -n, or LimitNOFILE= of a systemd unit)"

    #if canImport(Glibc)
        private static let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let descriptors = RLIMIT_NOFILE
    #endif
}
