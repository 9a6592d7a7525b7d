import AgentKit
import Foundation
import TestSupport
import Testing

/// Tests of the filter for files below a directory.
@Suite struct FileFilterTests {
    private static let names = [".git/config", "a.jpg", "b.tmp", "cache/deep/c.jpg", "day/d.jpg", "day/e.tmp"]

    @Test(arguments: [
        (FileFilter(), names),
        (FileFilter(excluded: ["*.tmp"]), [".git/config", "a.jpg", "cache/deep/c.jpg", "day/d.jpg"]),
        (FileFilter(excluded: ["cache", ".*"]), ["a.jpg", "b.tmp", "day/d.jpg", "day/e.tmp"]),
        (FileFilter(included: ["*.jpg"]), ["a.jpg", "cache/deep/c.jpg", "day/d.jpg"]),
        (FileFilter(included: ["day/*"]), ["day/d.jpg", "day/e.tmp"]),
        (FileFilter(included: ["*.jpg", "*.tmp"], excluded: ["day/d.*", "cache"]), ["a.jpg", "b.tmp", "day/e.tmp"]),
    ])
    func patternsChooseByNameOrByPath(filter: FileFilter, keys: [String]) async throws {
        try await withTemporaryDirectory { directory in
            for name in Self.names {
                let file = directory.appending(path: name)
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(name.utf8).write(to: file)
            }
            let found = FileWalk(paths: [directory.path(percentEncoded: false)], filter: filter)
            #expect(found.map(\.key) == keys)
        }
    }

    @Test func aNamedFileIsAlwaysSent() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appending(path: "b.tmp")
            try Data().write(to: file)
            let filter = FileFilter(excluded: ["*.tmp"])
            #expect(FileWalk(paths: [file.path(percentEncoded: false)], filter: filter).map(\.key) == ["b.tmp"])
        }
    }
}
