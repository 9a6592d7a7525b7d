import Foundation
import RepositoryFiles

/// A program that a test runs.
package struct Executable: Sendable {
    package let path: String

    /// - Parameter path: absolute path, so that it does not depend on the working directory.
    package init(path: String) {
        self.path = path
    }

    /// A program of this package from the same build as the running test.
    /// - Throws: ``ExecutableMissing``.
    package static func built(_ name: String) throws -> Executable {
        // The running program is the test bundle. It is in the same directory as the other products of the build.
        let bundle = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        let path = bundle.deletingLastPathComponent().appending(path: name).path(percentEncoded: false)
        return try Executable(checking: path, remedy: "build it together with the tests: make build")
    }

    /// A third-party program that `make deps-tools` installs at the root of the repository: a store, or a client for
    /// comparison.
    /// - Parameter environment: folder of the virtual environment with the program.
    /// - Throws: ``ExecutableMissing``, so that the test fails instead of being skipped.
    package static func tool(_ name: String, in environment: String = ".venv") throws -> Executable {
        let path = RepositoryFiles.root.appending(path: "\(environment)/bin/\(name)").path(percentEncoded: false)
        return try Executable(checking: path, remedy: "make deps-tools")
    }

    private init(checking path: String, remedy: String) throws {
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw ExecutableMissing(path: path, remedy: remedy)
        }
        self.path = path
    }
}

/// The error for a program that a test needs and that does not exist.
package struct ExecutableMissing: Error, CustomStringConvertible {
    package let path: String
    package let remedy: String

    package var description: String { "no program at \(path): \(remedy)" }
}

extension Executable {
    /// A program of the system, looked up in `PATH`.
    /// - Throws: ``ProgramMissing``, so that the test fails instead of being skipped.
    package static func inSearchPath(_ name: String) throws -> Executable {
        let directories = ProcessInfo.processInfo.environment["PATH", default: ""].split(separator: ":")
        let path = directories.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let path else { throw ProgramMissing(name: name) }
        return Executable(path: path)
    }
}

/// The error for a system program that a test needs and that is not installed.
package struct ProgramMissing: Error, CustomStringConvertible {
    package let name: String

    package var description: String { "no program \(name) in the search path: install it" }
}
