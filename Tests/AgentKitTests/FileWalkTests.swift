import AgentKit
import Foundation
import Testing
import TransferCore

/// Which files a push finds, and the keys they get.
@Suite
struct FileWalkTests {
    private func walk(_ path: URL...) -> [FileWalk.Found] {
        Array(FileWalk(paths: path.map { $0.path(percentEncoded: false) }))
    }

    @Test func givesADirectorysFilesUnderTheirRelativePathsInOrder() async throws {
        try await withTree(["b", "a/2", "a/1", ".hidden", "a.txt"]) { root in
            #expect(walk(root).map(\.key) == [".hidden", "a/1", "a/2", "a.txt", "b"])
            #expect(walk(root).allSatisfy { $0.failure == nil })
        }
    }

    @Test func givesANamedFileUnderItsOwnName() async throws {
        try await withTree(["a/file"]) { root in
            #expect(walk(root.appending(path: "a/file")).map(\.key) == ["file"])
        }
    }

    @Test func doesNotFollowLinksBelowADirectory() async throws {
        try await withTree(["file"]) { root in
            try FileManager.default.createSymbolicLink(at: root.appending(path: "loop"), withDestinationURL: root)
            try FileManager.default.createSymbolicLink(
                at: root.appending(path: "link"), withDestinationURL: root.appending(path: "file"))
            #expect(walk(root).map(\.key) == ["file"])
            #expect(walk(root.appending(path: "link")).map(\.key) == ["link"])
        }
    }

    @Test func tellsWhatIsMissingOrNoFile() async throws {
        try await withTree(["file"]) { root in
            #expect(walk(root.appending(path: "absent")).map(\.failure?.kind) == [.missing])
            #expect(walk(URL(filePath: "/dev/null")).map(\.failure?.kind) == [.unreadable])
        }
    }

    @Test func goesOnPastANameThatIsNotText() async throws {
        try await withTree(["file"]) { root in
            let bytes = root.path(percentEncoded: false).utf8 + [UInt8(ascii: "/"), 0xFF, 0xFE, 0]
            let name = bytes.map { CChar(bitPattern: $0) }
            close(creat(name, 0o600))
            let found = walk(root)
            unlink(name)
            #expect(found.contains { $0.failure?.kind == .unreadable })
            #expect(found.contains { $0.key == "file" && $0.failure == nil })
        }
    }
}
