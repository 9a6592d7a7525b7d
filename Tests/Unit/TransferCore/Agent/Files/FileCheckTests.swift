import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What `sluice-agent check` reports for a file, judged by the journal and the file system (`FileCheck`).
@Suite struct FileCheckTests {
    private static let store = ToyDigest.sha256([1])
    private static let root = ToyDigest.sha256([2])
    private static let site = DeviceSite(store: store, device: "d", prefix: "site/")
    private static let stamp = AgentDriver.stamp(size: 100)

    private static func proof(_ change: (inout StoredProof) -> Void = { _ in }) -> StoredProof {
        var proof = StoredProof(session: nil, stamp: stamp, partBytes: 10, root: root, size: 100)
        proof.store = store
        proof.wholeKey = "site/file"
        proof.stampCounts = true
        change(&proof)
        return proof
    }

    private static func look(
        _ stamp: FileStamp = stamp, lease: FileSettling.Lease = .granted,
        fileSystem: FileSettling.FileSystem = .stamping
    ) -> FileSettling.Look {
        FileSettling.Look(stamp: stamp, lease: lease, fileSystem: fileSystem)
    }

    private static func state(
        _ record: FileCheck.Record, _ look: FileSettling.Look = look(), site: DeviceSite? = site, fast: Bool = false,
        key: String = "file"
    ) -> FileCheck.State? {
        switch FileCheck.begin(key: key, record, look, site: site, trustsStamp: fast) {
        case .found(let finding):
            #expect(!finding.reason.isEmpty)
            return finding.state
        case .read(let partBytes, let root):
            #expect(partBytes == 10 && root == Self.root)
            return nil
        }
    }

    private static func record(_ change: (inout StoredProof) -> Void = { _ in }) -> FileCheck.Record {
        FileCheck.Record(proof: proof(change))
    }

    /// One row for each line of the table at the top of `FileCheck.swift`, and further rows in which a wrong answer
    /// would lose data.
    @Test func theTableDecides() {
        let rows: [(FileCheck.State?, FileCheck.State?)] = [
            (Self.state(Self.record()), nil),
            (Self.state(FileCheck.Record()), .notSent),
            (Self.state(FileCheck.Record(isUnfinished: true)), .notSent),
            (Self.state(FileCheck.Record(wasStored: true)), .unknown),
            (Self.state(FileCheck.Record(wasStored: true, isUnfinished: true)), .unknown),
            (Self.state(Self.record(), Self.look(lease: .refused)), .stillWritten),
            (Self.state(FileCheck.Record(), Self.look(lease: .refused)), .stillWritten),
            (Self.state(Self.record { $0.store = nil }), .unknown),
            (Self.state(Self.record { $0.wholeKey = nil }), .unknown),
            (Self.state(Self.record(), site: nil), .unknown),
            (Self.state(Self.record { $0.store = ToyDigest.sha256([9]) }), .otherStore),
            (Self.state(Self.record { $0.store = ToyDigest.sha256([9]) }, fast: true), .otherStore),
            (Self.state(Self.record { $0.wholeKey = "other/file" }), .otherKey),
            (Self.state(Self.record { $0.size = 99 }), .changed),
            (Self.state(Self.record(), Self.look(AgentDriver.stamp(size: 101))), .changed),
            (Self.state(Self.record { $0.root = nil }), .unknown),
            (Self.state(Self.record { $0.root = nil }, fast: true), .unknown),
            (Self.state(Self.record { $0.partBytes = 0 }), .unknown),
        ]
        for (index, row) in rows.enumerated() { #expect(row.0 == row.1, "row \(index)") }
    }

    /// Keys are compared as bytes: two Unicode spellings of one letter are two keys.
    @Test func lookalikeKeyIsAnotherKey() {
        let spelled = Self.record { $0.wholeKey = "site/e\u{301}" }
        #expect(Self.state(spelled, key: "\u{E9}") == .otherKey)
        #expect(Self.state(spelled, key: "e\u{301}") == nil)
    }

    @Test(arguments: [false, true])
    func unreliableStampDoesNotCount(fast: Bool) {
        #expect(Self.state(Self.record(), fast: fast) == (fast ? .proven : nil))
        #expect(Self.state(Self.record { $0.stampCounts = false }, fast: fast) == nil)
        for fileSystem in [FileSettling.FileSystem.local, .shared] {
            #expect(Self.state(Self.record(), Self.look(fileSystem: fileSystem), fast: fast) == nil)
        }
        var others = [Self.stamp, Self.stamp, Self.stamp, Self.stamp]
        others[0].device += 1
        others[1].inode += 1
        others[2].modification = ModificationTime(seconds: 1, nanoseconds: 0)
        others[3].change = ModificationTime(seconds: 1, nanoseconds: 0)
        for stamp in others { #expect(Self.state(Self.record(), Self.look(stamp), fast: fast) == nil) }
    }

    @Test func readContentIsComparedWithTheProof() {
        #expect(FileCheck.finding(read: Self.root, expected: Self.root).state == .proven)
        #expect(FileCheck.finding(read: Self.store, expected: Self.root).state == .changed)
    }

    @Test func gatewaysAnswersGiveStates() {
        let receipt = StoredReceipt(statement: [1], signature: [2], publicKey: [3])
        let answers: [(ProofOutcome, FileCheck.State?)] = [
            (.proven(.kept(receipt)), .proven), (.proven(.missing), .proven), (.absent, .absent),
            (.different(size: 100), .different), (.different(size: 9), .different), (.unknown, .unknown),
            (.failed(UploadFailure(.busy)), nil),
        ]
        for (outcome, state) in answers { #expect(FileCheck.finding(outcome, fileBytes: 100)?.state == state) }
    }
}
