import Foundation

/// Holds copies of all descriptors that this process has open for a path, as a child process between fork and exec
/// does.
package final class SharedDescriptors: Sendable {
    package let count: Int
    private let descriptors: [CInt]

    package init(path: String) throws {
        let path = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
        let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        let opened = names.filter { name in
            // try?: some descriptors are closed by now, such as the one with which the directory was listed.
            let opened = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
            return opened == path
        }
        descriptors = opened.compactMap(CInt.init).map { fcntl($0, F_DUPFD_CLOEXEC, 0) }.filter { $0 >= 0 }
        count = descriptors.count
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }
}
