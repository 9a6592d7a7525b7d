import Cryptography
import Synchronization
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// Receipts and PROVE (specification §9.5, §9.6). The signatures in a conversation cover statements with the session ids
// of the conversation, but the agent has chosen other ids. So the replay accepts each signature for the same statement
// with the agent's id.

/// Maps each signature in the conversation to the statement that the agent has to build from the frames.
final class SignedStatements: Sendable {
    private let statements = Mutex<[[UInt8]: [UInt8]]>([:])

    func add(_ statement: [UInt8], signature: [UInt8]) {
        statements.withLock { $0[signature] = statement }
    }

    func isSignature(_ signature: [UInt8], of statement: [UInt8]) -> Bool {
        statements.withLock { $0[signature] == statement }
    }
}

/// Cryptography for the replayed agent: it accepts the conversation's signatures for the statements with the agent's
/// session ids.
struct ReplayCryptography: AgentCryptography {
    let signed: SignedStatements

    func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest? { ToyDigest.root(partDigests) }

    func fingerprint(ofKey publicKey: [UInt8]) -> SHA256Digest? {
        // Hashing fails only if OpenSSL is broken. The agent then keeps no receipt, and the replay reports that.
        try? SHA256Digest.of(publicKey)
    }

    func isSignature(_ signature: [UInt8], of statement: [UInt8], by publicKey: [UInt8]) -> Bool {
        signed.isSignature(signature, of: statement)
    }
}

extension AgentReplay {
    /// Verifies the receipt in a line of the conversation, and registers its signature for the statement with the
    /// agent's session id.
    func noteReceipt(of frame: Frame, slot: Slot, on connection: Int) throws {
        let session = frame.token.flatMap(cryptography.session)?.session
        if let objection = try receipts.note(frame, slot: slot, on: connection, session: session) {
            throw failure(objection)
        }
        guard let signature = frame.receipt?.bytes, var statement = receipts.statements[signature] else { return }
        let drawn = sessions.first { $0.value == statement.session }?.key
        statement.session = drawn ?? statement.session
        signed.add(try statement.encoded(), signature: signature)
    }

    /// Asks the agent the question of a PROVE line, as the agent's user would.
    func ask(_ question: AgentScript.Question, _ host: AgentHost) {
        guard asked.insert(question.line).inserted else { return }
        let prove = question.prove
        let id = UploadID(1_000 + Int64(asked.count))
        let content = ReplaySite.content(key: prove.key, size: prove.size)
        let file = VirtualFile(bytes: content, inode: UInt64(id.value), seconds: 0, nanoseconds: 0)
        files[id] = file
        let parts = stride(from: 0, to: content.count, by: Int(clamping: prove.partBytes)).map { start in
            ToyDigest.sha256(content[start..<min(start + Int(clamping: prove.partBytes), content.count)])
        }
        // If the conversation has another digest than the generated file, the user passes the conversation's digest.
        let root = ToyDigest.root(parts) == prove.root ? nil : prove.root
        let request = ProofRequest(
            id: id, key: prove.key, stamp: file.stamp, partBytes: prove.partBytes, root: root,
            readsBack: prove.readsBack)
        host.handle(.asked(request))
    }

    /// Checks that the journal holds every receipt that the agent received.
    func checkReceipts() throws {
        guard journal.receipts.count == receipts.verifiedCount else {
            throw failure("the agent keeps \(journal.receipts.count) of \(receipts.verifiedCount) receipts")
        }
    }
}

extension Frame {
    fileprivate var receipt: ReceiptSignature? {
        switch self {
        case .completed(let completed): completed.receipt
        case .proven(.proven(_, let receipt)): receipt
        default: nil
        }
    }
}
