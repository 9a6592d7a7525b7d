import WireProtocol

// Signing receipts (specification §9.5).

extension GatewayContext {
    /// Makes a receipt now; `nil` if the gateway makes none, or if it cannot be signed, which the log says. The caller
    /// then answers without a receipt, because the object is stored in any case.
    ///
    /// Signing takes some 60 µs of CPU with an Ed25519 key and 30 µs with a P-256 key (measured with `openssl speed`),
    /// far less than the request to the store before it. So the machine signs at once instead of waiting for a thread.
    ///
    /// - Parameter key: whole, prefix included.
    mutating func receipt(for object: ProvenObject, key: String, device: AuthorisedDevice) -> ReceiptSignature? {
        guard let signer = cryptography.receiptKey else { return nil }
        switch object.evidence {
        case .root, .wholeDigest: break
        case .none, .compositeMD5: return nil  // Evidence that no receipt may state.
        }
        let statement = ReceiptStatement(
            of: object, key: key, device: device.name, storeIdentity: limits.storeIdentity,
            siteKey: signer.fingerprint, timeMilliseconds: wallMilliseconds)
        // try?: if a text is too long for a statement, no receipt can be made, as if the library failed.
        guard let bytes = try? statement.encoded(), let signature = cryptography.signature(of: bytes),
            let receipt = ReceiptSignature(timeMilliseconds: wallMilliseconds, bytes: signature)
        else {
            actions.append(.note(.unsigned(device: device.name)))
            return nil
        }
        return receipt
    }
}
