import SeededRandom
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct ExistingObjectTests {
    enum Content: String, CaseIterable {
        case same, sameSize, otherSize
    }

    enum Expected: Equatable {
        case found
        case sent
        case refused
    }

    struct Case: CustomStringConvertible {
        var policy: ExistingKeyPolicy
        var content: Content
        var size: Int
        var hasEvidence: Bool

        var expected: Expected {
            switch (policy, content) {
            case (.fail, _): .refused
            case (.verify, .same): hasEvidence ? .found : .refused
            case (.verify, _): .refused
            case (.replace, .same): hasEvidence ? .found : .sent
            case (.replace, _): .sent
            }
        }

        var description: String { "\(policy), \(content), \(size) bytes, evidence: \(hasEvidence)" }
    }

    static let cases: [Case] = [ExistingKeyPolicy.verify, .replace, .fail].flatMap { policy in
        Content.allCases.flatMap { content in
            [0, 250, 900, 3_500].flatMap { size in
                [true, false].map { Case(policy: policy, content: content, size: size, hasEvidence: $0) }
            }
        }
    }.filter { $0.size > 0 || $0.content != .sameSize }

    @Test(arguments: cases)
    func theUsersChoiceIsKept(_ tested: Case) {
        let pair = Pair()
        var generator = SeededGenerator(seed: 7)
        let bytes = generator.bytes(tested.size)
        let there: [UInt8] =
            switch tested.content {
            case .same: bytes
            case .sameSize: bytes.map { $0 ^ 1 }
            case .otherSize: bytes + [1]
            }
        let parts = stride(from: 0, to: max(there.count, 1), by: 700).map {
            ToyDigest.sha256(there[min($0, there.count)..<min($0 + 700, there.count)])
        }
        let evidence = tested.hasEvidence ? ContentEvidence.root(ToyDigest.root(parts)) : .none
        pair.store.put(there, key: "site/file", evidence: evidence, partBytes: 700)
        // A store that keeps nothing cannot return the object's bytes, so the gateway cannot get evidence by reading
        // the object either.
        if !tested.hasEvidence { pair.store.keeping = .nothing }
        let upload = pair.push(bytes, policy: tested.policy)
        pair.run()
        switch (tested.expected, pair.agent.outcomes[upload]) {
        case (.found, .stored(let receipt, let wasThere)):
            #expect(wasThere)
            #expect(receipt.evidence == evidence)
            #expect(pair.store.object("site/file")?.bytes == bytes)
            #expect(pair.store.requestCounts[.storePart] == nil)
        case (.sent, .stored):
            pair.checkStored(upload)
        case (.refused, .failed(let failure)):
            #expect(failure.kind == .keyTaken)
            #expect(pair.store.object("site/file")?.bytes == there)
        default:
            Issue.record("\(String(describing: pair.agent.outcomes[upload]))")
        }
        pair.rest()
        #expect(pair.violations == [])
        #expect(pair.store.uploadCount == 0)
    }

    @Test func repeatedPushSendsNothing() {
        for size in [0, 900, 3_500] {
            let pair = Pair()
            let first = pair.push(bytes: size)
            pair.run()
            guard let bytes = pair.files[first]?.bytes else { return }
            let sent = pair.chunkTimes.count
            let second = pair.push(bytes, key: "file")
            pair.run()
            pair.checkStored(second)
            guard case .stored(_, wasThere: true) = pair.agent.outcomes[second] else {
                Issue.record("\(String(describing: pair.agent.outcomes[second]))")
                continue
            }
            // The agent may send a small file before it learns that the key holds an object.
            #expect(size <= 300 || pair.chunkTimes.count == sent)
            pair.rest()
            #expect(pair.violations == [])
        }
    }
}
