import WireProtocol

// Signing receipts (specification §9.5).

extension GatewayContext {
    /// A receipt that is made now; `nil` where the gateway makes none, and where it cannot be signed, which the log
    /// says. The caller answers without a receipt then: the object is stored all the same.
    ///
    /// Signing takes some 60 µs of CPU with an Ed25519 key and 30 µs with a P-256 key (measured with `openssl speed`),
    /// far less than the request to the store before it. So the machine signs at once instead of waiting for a thread.
    ///
    /// - Parameter key: whole, prefix included.
    mutating func receipt(for object: ProvenObject, key: String, device: AuthorisedDevice) -> ReceiptSignature? {
        guard let signer = cryptography.receiptKey else { return nil }
        switch object.evidence {
        case .root, .wholeDigest: break
        case .none, .compositeMD5: return nil  // No receipt is made for these.
        }
        let statement = ReceiptStatement(
            of: object, key: key, device: device.name, storeIdentity: limits.storeIdentity,
            siteKey: signer.fingerprint, timeMilliseconds: wallMilliseconds)
        // try?: a text that is too long for a statement is, like a library that fails, a receipt that cannot be made.
        guard let bytes = try? statement.encoded(), let signature = cryptography.signature(of: bytes),
            let receipt = ReceiptSignature(timeMilliseconds: wallMilliseconds, bytes: signature)
        else {
            actions.append(.note(.unsigned(device: device.name)))
            return nil
        }
        return receipt
    }
}
