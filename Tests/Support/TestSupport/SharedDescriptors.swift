import Foundation

/// Has open what this process has open at a path, as a program that is being started has it until it runs.
package final class SharedDescriptors: Sendable {
    package let count: Int
    private let descriptors: [CInt]

    package init(path: String) throws {
        let path = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
        let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        let opened = names.filter { name in
            // Some are closed by now, that of the listing among them.
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
