import AgentKit
import Foundation
import Testing
import TransferCore

/// Tests of how an agent opens a file again from its path in the journal.
@Suite struct FileLocationTests {
    struct Case: Sendable {
        let path: String
        let root: String
        let expected: FileLocation
    }

    @Test(arguments: [
        Case(path: "/a/b/c", root: "/a", expected: FileLocation(root: "/a", below: "b/c")),
        Case(path: "/a/b/c", root: "/a/", expected: FileLocation(root: "/a/", below: "b/c")),
        Case(path: "/a/b", root: "/", expected: FileLocation(root: "/", below: "a/b")),
        // The user named the file itself.
        Case(path: "/a/b", root: "/a/b", expected: FileLocation(root: "/a/b")),
        // The row of an older journal has no root. In the second row another program has changed the root, so that the
        // root does not contain the path.
        Case(path: "/a/b", root: "", expected: FileLocation(root: "/", below: "a/b")),
        Case(path: "/ab/c", root: "/a", expected: FileLocation(root: "/", below: "ab/c")),
        Case(path: "-", root: "-", expected: FileLocation(root: "-")),
        Case(path: "-", root: "", expected: FileLocation(root: "-")),
    ])
    func isBelowTheNamedPath(_ sample: Case) {
        #expect(FileLocation(path: sample.path, namedAs: sample.root) == sample.expected)
    }

    /// If the journal does not have the path that the user named, the agent follows no link at all.
    @Test func linkIsFollowedOnlyInTheNamedPath() async throws {
        try await withTree(["real/folder/file"]) { root in
            // The path of the temporary directory may have links itself.
            let top = root.resolvingSymlinksInPath().path(percentEncoded: false)
            let files = FileManager.default
            try files.createSymbolicLink(atPath: top + "/named", withDestinationPath: top + "/real")
            try files.createSymbolicLink(atPath: top + "/real/link", withDestinationPath: top + "/real/folder")
            func kind(_ path: String, _ root: String) -> UploadFailure.Kind? {
                do throws(UploadFailure) {
                    _ = try SourceFile.open(FileLocation(path: path, namedAs: root))
                    return nil
                } catch {
                    return error.kind
                }
            }
            #expect(kind(top + "/named/folder/file", top + "/named") == nil)
            #expect(kind(top + "/named/link/file", top + "/named") == .unreadable)
            #expect(kind(top + "/named/folder/file", "") == .unreadable)
            #expect(kind(top + "/real/folder/file", "") == nil)
        }
    }
}
