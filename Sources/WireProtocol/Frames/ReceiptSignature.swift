/// The time and the signature of a receipt. No frame contains the signed statement itself: agent and gateway each build
/// it from values that they know (specification §9.5).
package struct ReceiptSignature: Hashable, Sendable {
    /// Time of the receipt: milliseconds since 1970-01-01 UTC by the gateway's clock.
    package let timeMilliseconds: Int64
    /// The signature: 64 bytes for Ed25519, or DER for ECDSA on P-256; always 1 to 128 bytes.
    package let bytes: [UInt8]

    /// - Parameter bytes: 1 to 128 bytes. For any other number the result is `nil`.
    package init?(timeMilliseconds: Int64, bytes: [UInt8]) {
        guard Self.byteCounts.contains(bytes.count) else { return nil }
        self.timeMilliseconds = timeMilliseconds
        self.bytes = bytes
    }

    fileprivate static let byteCounts = 1...WireLimits.signatureBytesMax
}

extension BodyWriter {
    /// Writes `receiptTime` and `signature`.
    mutating func receipt(_ receipt: ReceiptSignature) throws(WireError) {
        integer(receipt.timeMilliseconds)
        try bytes16(receipt.bytes, "signature", ReceiptSignature.byteCounts)
    }
}

extension BodyReader {
    /// Reads `receiptTime` and `signature`.
    mutating func receipt() throws(WireError) -> ReceiptSignature {
        let time: Int64 = try integer()
        let bytes = try bytes16("signature", ReceiptSignature.byteCounts)
        guard let receipt = ReceiptSignature(timeMilliseconds: time, bytes: bytes) else { throw badValue("signature") }
        return receipt
    }
}
