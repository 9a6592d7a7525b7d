import Foundation
import TestSupport

/// Makes a directory of files that exists while `body` runs. Each file contains its own name.
func withTree(_ names: [String], _ body: (URL) throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
        let root = directory.appending(path: "tree")
        for name in names {
            let file = root.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(name.utf8).write(to: file)
        }
        try body(root)
    }
}
