import Cryptography
import TransferCommon
import TransferCoreSupport
import WireProtocol

/// Verifies receipts as an agent does: builds each statement from the frames that the agent received, and verifies the
/// signature (specification §9.5).
struct ReceiptLedger {
    private struct Use {
        var session: SessionID?
        var key = ""
    }

    private var welcomes: [Int: Welcome] = [:]
    private var uses: [SlotPlace: Use] = [:]
    /// The verified statements, by signature.
    private(set) var statements: [[UInt8]: ReceiptStatement] = [:]
    /// How many signatures were verified.
    private(set) var verifiedCount = 0

    /// Records a frame of either side.
    ///
    /// - Parameter session: the session of the frame's token, if it has one.
    /// - Returns: the fault of the frame's receipt; `nil` if the receipt is right or missing.
    mutating func note(_ frame: Frame, slot: Slot, on connection: Int, session: SessionID?) throws -> String? {
        let place = SlotPlace(connection: connection, slot: slot)
        switch frame {
        case .welcome(let welcome): welcomes[connection] = welcome
        case .sessionOpen(let open): uses[place] = Use(session: open.session)
        case .resumeQuery: uses[place] = Use(session: session)
        case .sessionOpened(let opened): uses[place]?.session = opened.session
        case .prove(let prove): uses[place] = Use(key: prove.key)
        case .completed(let completed):
            guard let receipt = completed.receipt else { return nil }
            let object = completed.object(of: uses[place]?.session)
            return try verify(receipt, object, key: completed.location, on: connection)
        case .proven(.proven(let object, let receipt?)):
            return try verify(receipt, object, key: uses[place]?.key ?? "", on: connection)
        default: break
        }
        return nil
    }

    private mutating func verify(
        _ receipt: ReceiptSignature, _ object: ProvenObject, key: String, on connection: Int
    ) throws -> String? {
        guard let welcome = welcomes[connection] else { return "a receipt before WELCOME" }
        let statement = ReceiptStatement(
            storeIdentity: welcome.storeIdentity, siteKey: try SHA256Digest.of(welcome.receiptKey),
            device: welcome.deviceName, key: welcome.prefix + key, session: object.session ?? .init(high: 0, low: 0),
            size: object.size, partBytes: object.partBytes, evidence: object.evidence, etag: object.etag,
            version: object.version, timeMilliseconds: receipt.timeMilliseconds)
        let publicKey = try PublicKey(subjectPublicKeyInfo: welcome.receiptKey)
        guard try publicKey.isSignature(receipt.bytes, of: try statement.encoded()) else {
            return "the signature is not one of \(statement)"
        }
        statements[receipt.bytes] = statement
        verifiedCount += 1
        return nil
    }
}
