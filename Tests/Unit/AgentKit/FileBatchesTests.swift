import AgentKit
import Foundation
import Testing
import TransferCore

/// Tests of taking the files of a walk in batches.
@Suite struct FileBatchesTests {
    private func batches(_ paths: [URL], key: String? = nil, atMost count: Int) -> [[FileBatches.Candidate]] {
        let files = FileWalk(paths: paths.map { $0.path(percentEncoded: false) })
        var batches = FileBatches(files: files, key: key, prefix: "p/")
        var all: [[FileBatches.Candidate]] = []
        while true {
            let batch = batches.next(atMost: count)
            guard !batch.isEmpty else { return all }
            all.append(batch)
        }
    }

    @Test func fillUpToTheLimit() async throws {
        try await withTree(["a", "b", "c", "d", "e"]) { root in
            #expect(batches([root], atMost: 2).map { $0.map(\.key) } == [["p/a", "p/b"], ["p/c", "p/d"], ["p/e"]])
            #expect(batches([root], atMost: 100).map(\.count) == [5])
        }
    }

    @Test func reportsAllFilesThatShareAKey() async throws {
        try await withTree(["1/x", "1/y", "2/x", "2/y", "3/x"]) { root in
            let roots = (1...3).map { root.appending(path: "\($0)") }
            let all = batches(roots, atMost: 100)
            #expect(all.map { $0.map(\.key) } == [["p/x", "p/y", "p/x", "p/y", "p/x"]])
            #expect(all.joined().allSatisfy { $0.failure?.kind == .keyInvalid })
        }
    }

    @Test func reportUnsendableFiles() async throws {
        try await withTree(["a"]) { root in
            let absent = root.appending(path: "absent")
            let all = batches([absent, root.appending(path: "a")], atMost: 100).joined().map(\.failure?.kind)
            #expect(all == [.missing, nil])
            let refused = batches([root.appending(path: "a")], key: "a/../b", atMost: 100).joined().map(\.failure?.kind)
            #expect(refused == [.keyInvalid])
        }
    }
}
