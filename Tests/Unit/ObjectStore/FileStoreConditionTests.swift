import Foundation
import ObjectStore
import ObjectStoreConformance
import Synchronization
import SystemSupport
import Testing
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes with a condition: the object appears only if the key is free, or only in place of a certain other object.
@Suite(.timeLimit(.minutes(5))) struct FileStoreConditionTests {
    /// The two calls that give an object its key.
    enum Way: CaseIterable, Sendable { case put, complete }

    @Test(arguments: Way.allCases)
    func replacesOnlyTheObjectThatWasNamed(_ way: Way) async throws {
        try await withTestStore { store, directory in
            let first = try await store.put(Sample(10, seed: 1), key: "a/b").etag
            let second = try await publish(
                Sample(20, seed: 2), key: "a/b", in: store, way, .ifMatch(etag: first))
            #expect(try await store.object(key: "a/b")?.etag == second)
            await expectError(.keyTaken) {
                try await publish(Sample(30, seed: 3), key: "a/b", in: store, way, .ifMatch(etag: first))
            }
            #expect(try await store.contents("a/b") == Sample(20, seed: 2).bytes)
            try FileManager.default.removeItem(atPath: directory.path("a/b"))
            for key in ["a/b", "never/there"] {
                await expectError(.objectGone) {
                    try await publish(Sample(30, seed: 3), key: key, in: store, way, .ifMatch(etag: second))
                }
                #expect(try await store.object(key: key) == nil)
            }
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
        }
    }

    /// FileStore has no description of a file that another program wrote. It still replaces the file only if the file
    /// is the one that the condition names.
    @Test func replacesAnotherProgramsFileOnlyUnchanged() async throws {
        try await withTestStore { store, directory in
            try directory.write([1, 2, 3], to: "a")
            let shown = try #require(try await store.object(key: "a")?.etag)
            try await Task.sleep(for: .milliseconds(20))  // File times have a coarse resolution.
            try directory.write([1, 2, 4], to: "a")
            await expectError(.keyTaken) {
                try await publish(Sample(10, seed: 1), key: "a", in: store, .put, .ifMatch(etag: shown))
            }
            #expect(try directory.read("a") == [1, 2, 4])
            let now = try #require(try await store.object(key: "a")?.etag)
            _ = try await publish(Sample(10, seed: 1), key: "a", in: store, .put, .ifMatch(etag: now))
            #expect(try directory.read("a") == Sample(10, seed: 1).bytes)
        }
    }

    /// Another program's file appears under the key as late as possible: after the store's last check.
    @Test(arguments: Way.allCases, [true, false])
    func neverReplacesAFileOfAnotherProgram(_ way: Way, _ canRenameIfAbsent: Bool) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            faults.set { call, _ in
                guard call.target == directory.path("a") else { return 0 }
                if call.operation == .renameIfAbsent, !canRenameIfAbsent { return EINVAL }
                let descriptor = Glibc.open(directory.path("a"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o666)
                defer { close(descriptor) }
                return Glibc.write(descriptor, "other", 5) == 5 ? 0 : EIO
            }
            await expectError(.keyTaken) {
                try await publish(Sample(10, seed: 1), key: "a", in: store, way, .ifAbsent)
            }
            let left = try directory.read("a")
            #expect(left == Array("other".utf8))
        }
    }

    @Test(arguments: Way.allCases)
    func letsOneOfTwoGatewaysReplaceAnObject(_ way: Way) async throws {
        try await withTestStore { first, directory in
            let stores = [first, try await directory.open()]
            for round in 0..<20 {
                let key = "race/\(round)"
                let etag = try await first.put(Sample(10, seed: 0), key: key).etag
                let winners = try await withThrowingTaskGroup(of: Int?.self) { group in
                    for (index, store) in stores.enumerated() {
                        group.addTask {
                            do {
                                _ = try await publish(
                                    Sample(1000, seed: UInt8(index + 1)), key: key, in: store, way,
                                    .ifMatch(etag: etag))
                                return index
                            } catch let error as StoreError where error.reason == .keyTaken {
                                return nil
                            }
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
                }
                let winner = try #require(winners.first)
                #expect(winners.count == 1, "round \(round)")
                #expect(try await first.contents(key) == Sample(1000, seed: UInt8(winner + 1)).bytes)
            }
        }
    }

    /// The store compares the old object and renames the new one as one step. If another object could get the name in
    /// between, even one that is written without a condition, it would be lost.
    @Test func comparesAndReplacesInOneStep() async throws {
        let (faults, otherFaults) = (FileFaults(), FileFaults())
        try await withTestStore(faults) { store, directory in
            let other = try await directory.open(otherFaults)
            let etag = try await store.put(Sample(10, seed: 0), key: "a").etag
            let gate = Gate()
            faults.set { call, _ in
                if call.operation == .rename, call.target == directory.path("a") { gate.waitOnThread() }
                return 0
            }
            let replacing = Task {
                try await publish(Sample(20, seed: 1), key: "a", in: store, .put, .ifMatch(etag: etag))
            }
            await gate.reached()
            otherFaults.clear()
            let isPut = Mutex(false)
            let putting = Task {
                try await other.put(Sample(30, seed: 2), key: "a", session: 2)
                isPut.withLock { $0 = true }
            }
            // Wait until the second write waits for the lock, or has wrongly succeeded without it.
            while otherFaults.calls.count(where: { $0.operation == .lock }) < 2, !isPut.withLock({ $0 }) {
                await Task.yield()
            }
            gate.open()
            _ = try await replacing.value
            try await putting.value
            #expect(try await store.contents("a") == Sample(30, seed: 2).bytes)
        }
    }

    /// The inode number of a replaced file is free at once, and the next object of the key may get it. Descriptions are
    /// named after inode numbers, so the new description then has the name of the old one. FileStore must not remove
    /// the new one in place of the old one.
    @Test func keepsTheDescriptionOfAReusedInode() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let other = try await directory.open()
            for round in 0..<10 {
                try await store.put(Sample(10, seed: 1), key: "a")
                let gate = Gate()
                faults.set { call, _ in
                    // The store makes this call after the rename and before it removes the old description.
                    if call.operation == .syncFolder, call.path == directory.path { gate.waitOnThread() }
                    return 0
                }
                let slow = Task { try await store.put(Sample(20, seed: 2), key: "a") }
                await gate.reached()
                for seed in 3..<6 { try await other.put(Sample(30, seed: UInt8(seed)), key: "a") }
                gate.open()
                _ = try await slow.value
                faults.clear()
                #expect(try await store.object(key: "a")?.metadata != nil, "round \(round)")
            }
        }
    }

    /// - Returns: the new object's ETag.
    @discardableResult
    private func publish(
        _ sample: Sample, key: String, in store: FileStore, _ way: Way, _ condition: PutCondition
    ) async throws -> String {
        switch way {
        case .put:
            return try await store.putObject(
                key: ObjectKey(key), body: sample.body(), metadata: metadata(), condition: condition
            ).etag
        case .complete:
            let (upload, parts) = try await store.begin([sample], key: key)
            do {
                return try await store.completeUpload(
                    key: ObjectKey(key), upload: upload, parts: parts, size: UInt64(sample.bytes.count),
                    condition: condition
                ).etag
            } catch {
                // The upload still exists and is complete.
                #expect(try await store.allParts(key: key, upload: upload).count == 1)
                try await store.abortUpload(key: key, upload: upload)
                throw error
            }
        }
    }
}
