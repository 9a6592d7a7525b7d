import Cryptography
import ObjectStore
import ObjectStoreConformance
import Synchronization
import SystemSupport
import TestSupport
import Testing
import TransferCommon
import WireProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// FileStore joins parts, and makes an object of them at most once.
@Suite struct FileStoreCompletionTests {
    /// Steps of these lengths end within parts, between parts, and after the last part.
    @Test(arguments: [1, 7, 999, 1000, 1001, 2000, 2500, 1 << 20])
    func joinsInStepsOfAnyLength(_ stepBytes: UInt64) async throws {
        try await withTestDirectory { directory in
            let store = try await directory.open(joinStepBytes: stepBytes)
            let samples = [Sample(1000, seed: 1), Sample(1000, seed: 2), Sample(500, seed: 3)]
            let (upload, parts) = try await store.begin(samples, key: "a")
            try await store.complete(upload, parts, key: "a")
            #expect(try await store.contents("a") == samples.flatMap(\.bytes))
        }
    }

    /// An empty stream has one part without bytes.
    @Test func makesAnEmptyObjectOfAnEmptyPart() async throws {
        try await withTestStore { store, _ in
            let (upload, parts) = try await store.begin([Sample(0, seed: 1)], key: "a")
            try await store.complete(upload, parts, key: "a")
            #expect(try await store.contents("a") == [])
        }
    }

    @Test func joinsMorePartsThanAPageHolds() async throws {
        try await withTestStore { store, _ in
            let upload = try await store.createUpload(key: "a", metadata: metadata(partBytes: 3))
            var parts: [CompletedPart] = []
            for number in 1...1001 {
                let sample = Sample(number == 1001 ? 1 : 3, seed: UInt8(truncatingIfNeeded: number))
                parts.append(try await store.upload(sample, number: UInt32(number), key: "a", upload: upload))
            }
            let stored = try await store.complete(upload, parts, key: "a")
            #expect(try await store.contents("a")?.count == 3001)
            #expect(try stored.evidence == .root(RootDigest.of(parts.map(\.digest))))
            #expect(stored.etag.hasSuffix("-1001\""))
        }
    }

    /// On a file system that can clone, FileStore shares the blocks of the parts instead of copying them. On other file
    /// systems, and for a part that does not end on a block boundary, it copies the bytes. It reports a full disk in
    /// both cases.
    @Test(
        arguments: [
            (EOPNOTSUPP, nil), (EINVAL, nil), (EXDEV, nil), (ENOTTY, nil), (ENOSPC, .full), (EIO, .unavailable),
        ]
            as [(CInt, StoreError.Reason?)])
    func copiesWhatCannotBeCloned(_ code: CInt, _ reason: StoreError.Reason?) async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, _ in
            let samples = [Sample(1000, seed: 1), Sample(500, seed: 3)]
            let (upload, parts) = try await store.begin(samples, key: "a")
            faults.fail(.clone, with: code)
            if let reason {
                await expectError(reason) { try await store.complete(upload, parts, key: "a") }
            } else {
                try await store.complete(upload, parts, key: "a")
                #expect(try await store.contents("a") == samples.flatMap(\.bytes))
            }
        }
    }

    /// A gateway ends right after the object has appeared, and a newer session replaces the object. Then the first
    /// agent asks again to complete. The older content must not come back.
    @Test(arguments: [FileCall.Operation.rename, .renameIfAbsent, .link])
    func doesNotRepeatACompletionAfterACrash(_ operation: FileCall.Operation) async throws {
        let condition = operation == .rename ? PutCondition.none : .ifAbsent
        let faults = FileFaults()
        try await withTestDirectory { directory in
            let survivor = try await directory.open()
            let newer = Sample(77, seed: 9)
            let (upload, parts) = try await survivor.begin([Sample(1000, seed: 1)], key: "a")
            do {
                let crashing = try await directory.open(faults)
                let target = directory.path("a")
                faults.set { [weak faults] call, _ in
                    if operation == .link, call.operation == .renameIfAbsent { return EINVAL }
                    let hasAppeared =
                        faults?.calls.dropLast().contains { $0.operation == operation && $0.target == target } ?? false
                    return hasAppeared ? EIO : 0
                }
                await expectError(.outcomeUnknown) {
                    try await crashing.complete(upload, parts, key: "a", condition: condition)
                }
            }
            #expect(try await survivor.object(key: "a")?.metadata?.session == metadata().session)
            await expectError(.uploadUnknown) { try await survivor.listParts(key: "a", upload: upload, after: nil) }
            try await survivor.put(newer, key: "a", session: 2)
            // A crash after `link` leaves the joined file with both names, so the store tries the completion again. The
            // condition on the key then refuses it.
            await expectError(operation == .link ? .keyTaken : .uploadUnknown) {
                try await survivor.complete(upload, parts, key: "a", condition: condition)
            }
            #expect(try await survivor.contents("a") == newer.bytes)
        }
    }

    /// An interrupted completion takes up space only until the next start.
    @Test func freesJoinedBytesOfInterruptedCompletion() async throws {
        let faults = FileFaults()
        try await withTestDirectory { directory in
            let survivor = try await directory.open()
            let (upload, parts) = try await survivor.begin([Sample(1000, seed: 1)], key: "a")
            do {
                let crashing = try await directory.open(faults)
                faults.set { [weak faults] call, _ in
                    let hasJoined = faults?.calls.contains { $0.operation == .syncFile } ?? false
                    return hasJoined ? EIO : 0
                }
                await expectError(.unavailable) { try await crashing.complete(upload, parts, key: "a") }
            }
            #expect(directory.exists(".sluice/uploads/\(upload)/joined"))
            let started = try await directory.open()
            #expect(!directory.exists(".sluice/uploads/\(upload)/joined"))
            try await started.complete(upload, parts, key: "a")
        }
    }

    /// A first crash interrupts a completion. A second crash interrupts the clean-up of that completion, at each change
    /// of the disk in turn. Afterwards either the upload or the object exists.
    @Test func undoOrderSurvivesACrash() async throws {
        var crashes = 0
        var isFinished = false
        while !isFinished {
            try await withTestDirectory { directory in
                let faults = FileFaults()
                let crash = crashes
                let crashing = try await directory.open(faults)
                let (upload, parts) = try await crashing.begin([Sample(1000, seed: 1)], key: "a")
                try directory.write([1, 2, 3], to: ".sluice/uploads/\(upload)/joined")
                try directory.write([], to: ".sluice/uploads/\(upload)/completing")
                faults.set { _, index in index >= crash ? EIO : 0 }
                do {
                    try await crashing.complete(upload, parts, key: "a")
                    isFinished = true
                } catch is StoreError {}
                let started = try await directory.open()
                if try await started.object(key: "a") == nil {
                    try await started.complete(upload, parts, key: "a")
                }
                #expect(try await started.contents("a") == Sample(1000, seed: 1).bytes, "change \(crash)")
            }
            crashes += 1
        }
        #expect(crashes > 5)
    }

    @Test func canBeCancelledWhileItJoins() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let (upload, parts) = try await store.begin([Sample(1000, seed: 1)], key: "a")
            let gate = Gate()
            faults.set { call, _ in
                if call.operation == .createFile, call.path.hasSuffix("/joined") { gate.waitOnThread() }
                return 0
            }
            let completion = Task { try await store.complete(upload, parts, key: "a") }
            await gate.reached()
            completion.cancel()
            gate.open()
            await expectError(.cancelled) { try await completion.value }
            #expect(try await store.object(key: "a") == nil)
            #expect(!directory.exists(".sluice/uploads/\(upload)/joined"))
            faults.clear()
            try await store.complete(upload, parts, key: "a")
        }
    }

    /// When another test starts a program, the new process has copies of all descriptors until it executes the program.
    /// One of them may be the descriptor of the upload's locked folder. When FileStore releases the lock, the lock must
    /// end although the process still has this copy.
    @Test func lockEndsDespiteOtherDescriptors() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let (upload, parts) = try await store.begin([Sample(1000, seed: 1)], key: "a")
            let folder = directory.path(".sluice/uploads/\(upload)")
            let copies = Mutex<[SharedDescriptors]>([])
            faults.set { call, _ in
                guard call.operation == .createFile, call.path.hasSuffix("/joined") else { return 0 }
                // try?: if a copy cannot be made, the count below is too small and the test fails.
                if let shared = try? SharedDescriptors(path: folder) { copies.withLock { $0.append(shared) } }
                return EIO
            }
            await expectError(.unavailable) { try await store.complete(upload, parts, key: "a") }
            faults.clear()
            #expect(copies.withLock { $0.map(\.count) } == [1])
            try await store.complete(upload, parts, key: "a")
        }
    }

    @Test func noticesAPartThatIsReplacedWhileItJoins() async throws {
        let faults = FileFaults()
        try await withTestStore(faults) { store, directory in
            let other = try await directory.open()
            let (upload, parts) = try await store.begin([Sample(1000, seed: 1)], key: "a")
            let gate = Gate()
            faults.set { call, _ in
                if call.operation == .createFile, call.path.hasSuffix("/joined") { gate.waitOnThread() }
                return 0
            }
            let completion = Task { try await store.complete(upload, parts, key: "a") }
            await gate.reached()
            let again = try await other.upload(Sample(1000, seed: 2), number: 1, key: "a", upload: upload)
            gate.open()
            await expectError(.partsInvalid([parts[0].number])) { try await completion.value }
            #expect(try await store.object(key: "a") == nil)
            faults.clear()
            try await store.complete(upload, [again], key: "a")
            #expect(try await store.contents("a") == Sample(1000, seed: 2).bytes)
        }
    }
}
