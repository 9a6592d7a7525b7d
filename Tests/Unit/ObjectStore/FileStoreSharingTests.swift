import Foundation
import NIOCore
import ObjectStore
import ObjectStoreConformance
import Synchronization
import SystemSupport
import Testing
import TransferCommon
import WireProtocol

@Suite struct FileStoreSharingTests {
    @Test func continuesUploadsOfOtherGateways() async throws {
        try await withTestStore { first, directory in
            let second = try await directory.open()
            let (upload, parts) = try await first.begin([Sample(1000, seed: 1)], key: "a")
            let last = try await second.upload(Sample(5, seed: 2), number: 2, key: "a", upload: upload)
            #expect(try await first.allParts(key: "a", upload: upload).map(\.number.value) == [1, 2])
            try await second.complete(upload, parts + [last], key: "a")
            await expectError(.uploadUnknown) { try await first.complete(upload, parts + [last], key: "a") }
            await expectError(.uploadUnknown) { try await first.abortUpload(key: "a", upload: upload) }
            #expect(try await first.contents("a") == Sample(1000, seed: 1).bytes + Sample(5, seed: 2).bytes)
        }
    }

    @Test func cleansOnlyAfterDeadGateways() async throws {
        try await withTestStore { live, directory in
            let held = Gate()
            let upload = Task {
                try await live.putObject(
                    key: "slow", body: try held.body(of: Sample(100_000, seed: 1)), metadata: metadata(),
                    condition: .none)
            }
            await held.reached()
            // The staged file appears only a moment after FileStore has asked for the bytes.
            while try directory.files(below: ".sluice/staging").isEmpty { await Task.yield() }

            // What a dead gateway leaves: its files exist, and its lock is free.
            let dead = String(repeating: "d", count: 32)
            try FileManager.default.createDirectory(
                atPath: directory.path(".sluice/staging/\(dead)/7"), withIntermediateDirectories: true)
            try directory.write([1, 2, 3], to: ".sluice/staging/\(dead)/7/part-00001")
            try directory.write([1, 2, 3], to: ".sluice/staging/\(dead)/8")
            try directory.write([], to: ".sluice/instances/\(dead)")
            // A staging folder without a lock file does not come from a FileStore, so it must stay.
            let unknown = String(repeating: "e", count: 32)
            try FileManager.default.createDirectory(
                atPath: directory.path(".sluice/staging/\(unknown)"), withIntermediateDirectories: true)
            try directory.write([4], to: ".sluice/staging/\(unknown)/1")

            let started = try await directory.open()
            #expect(!directory.exists(".sluice/staging/\(dead)"))
            #expect(!directory.exists(".sluice/instances/\(dead)"))
            #expect(directory.exists(".sluice/staging/\(unknown)/1"))
            #expect(try directory.files(below: ".sluice/instances").count == 2)
            held.open()
            _ = try await upload.value
            #expect(try await started.contents("slow") == Sample(100_000, seed: 1).bytes)

            try await started.close()
            #expect(try directory.files(below: ".sluice/instances").count == 1)
        }
    }

    /// The last writer wins, and no object mixes two contents.
    @Test func neverMixesTwoWritersOfOnePart() async throws {
        try await withTestStore { first, directory in
            let stores = [first, try await directory.open()]
            let samples = (0..<4).map { Sample(300_000, seed: UInt8($0)) }
            for _ in 0..<10 {
                let upload = try await first.createUpload(key: "a", metadata: metadata(partBytes: 300_000))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (index, sample) in samples.enumerated() {
                        let store = stores[index % 2]
                        group.addTask { _ = try await store.upload(sample, number: 1, key: "a", upload: upload) }
                    }
                    try await group.waitForAll()
                }
                let listed = try #require(try await first.allParts(key: "a", upload: upload).first)
                let winner = try #require(try samples.first { try $0.digest == listed.digest })
                let part = CompletedPart(
                    number: listed.number, size: listed.size, digest: try winner.digest, etag: listed.etag)
                try await stores[1].complete(upload, [part], key: "a")
                #expect(try await first.contents("a") == winner.bytes)
            }
        }
    }

    @Test func letsOneOfTwoCompletionsCreateTheObject() async throws {
        try await withTestStore { first, directory in
            let stores = [first, try await directory.open()]
            for round in 0..<10 {
                let key = "race/\(round)"
                var begun: [(upload: String, parts: [CompletedPart])] = []
                for (index, store) in stores.enumerated() {
                    begun.append(
                        try await store.begin([Sample(1000, seed: UInt8(index))], key: key, session: UInt64(index)))
                }
                let winners = await withTaskGroup(of: Int?.self) { [begun] group in
                    for (index, store) in stores.enumerated() {
                        group.addTask {
                            do {
                                try await store.complete(
                                    begun[index].upload, begun[index].parts, key: key, condition: .ifAbsent)
                                return index
                            } catch {
                                #expect((error as? StoreError)?.reason == .keyTaken)
                                return nil
                            }
                        }
                    }
                    return await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
                }
                let winner = try #require(winners.first)
                #expect(winners.count == 1)
                #expect(try await first.contents(key) == Sample(1000, seed: UInt8(winner)).bytes)
                let session = try await first.object(key: key)?.metadata?.session
                #expect(session == SessionID(high: 0, low: UInt64(winner)))
                try await first.abortUpload(key: key, upload: begun[1 - winner].upload)
            }
        }
    }

    /// While one gateway completes an upload, another one neither completes nor aborts it, and does not report it as
    /// lost.
    @Test func reportsARunningCompletion() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { first, directory in
            let second = try await directory.open()
            let (upload, parts) = try await first.begin([Sample(1000, seed: 1)], key: "a")
            let gate = Gate()
            faults.set { call, _ in
                // This is the last call before the object appears.
                if call.target == directory.path("a") { gate.waitOnThread() }
                return 0
            }
            let completion = Task { try await first.complete(upload, parts, key: "a") }
            await gate.reached()
            await expectError(.completionInProgress) { try await second.complete(upload, parts, key: "a") }
            await expectError(.completionInProgress) { try await second.abortUpload(key: "a", upload: upload) }
            await expectError(.completionInProgress) {
                try await second.listParts(key: "a", upload: upload, after: nil)
            }
            // A gateway starts now. It must not treat the completion that is under way as interrupted.
            let third = try await directory.open()
            gate.open()
            _ = try await completion.value
            await expectError(.uploadUnknown) { try await third.listParts(key: "a", upload: upload, after: nil) }
            #expect(try await third.contents("a") == Sample(1000, seed: 1).bytes)
        }
    }

    /// Another gateway may remove an empty folder just before this gateway puts a file into it.
    @Test func recreatesAVanishedFolder() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let hasVanished = Mutex(false)
            faults.set { call, _ in
                guard call.target == directory.path("a/b") else { return 0 }
                hasVanished.withLock { hasVanished in
                    if !hasVanished { rmdir(directory.path("a")) }
                    hasVanished = true
                }
                return 0
            }
            try await store.put(Sample(10, seed: 1), key: "a/b")
            #expect(hasVanished.withLock { $0 })
            #expect(try await store.contents("a/b") == Sample(10, seed: 1).bytes)
        }
    }
}

/// Blocks a task or thread at one point until the gate opens.
final class Gate: Sendable {
    private let arrival: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    private let opening: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    /// A thread that reads from this pipe waits until the gate closes the other end.
    private let pipe = Pipe()

    init() {
        self.arrival = AsyncStream.makeStream()
        self.opening = AsyncStream.makeStream()
    }

    /// Returns when a task or thread is blocked at the gate.
    func reached() async {
        for await _ in arrival.stream {}
    }

    func open() {
        opening.continuation.finish()
        pipe.fileHandleForWriting.closeFile()
    }

    /// Blocks the calling thread until the gate opens.
    func waitOnThread() {
        arrival.continuation.finish()
        _ = pipe.fileHandleForReading.availableData
    }

    /// A body that stops half-way until the gate opens.
    func body(of sample: Sample) throws -> ObjectBody {
        let half = sample.bytes.count / 2
        let parts = [sample.bytes[..<half], sample.bytes[half...]].map { ByteBuffer(bytes: $0) }
        let source = AsyncStream { continuation in
            continuation.yield(parts[0])
            Task {
                arrival.continuation.finish()
                for await _ in opening.stream {}
                continuation.yield(parts[1])
                continuation.finish()
            }
        }
        return ObjectBody(byteCount: UInt64(sample.bytes.count), digest: try sample.digest, bytes: source)
    }
}
