import TransferCommon
import WireProtocol

// Signing receipts (specification §9.5).

extension GatewayContext {
    /// The frame that answers a slot when its session ends. COMPLETED has a receipt if the frame that opened the slot
    /// asked for one, and if the gateway knows the object's content.
    mutating func frame(of answer: SessionEnding.Answer, for slot: AttachedSlot, _ target: SessionTarget) -> Frame {
        guard case .completed(let completed, isVerified: true) = answer, slotsWithReceipt.contains(slot.attachment),
            let receipt = receipt(for: completed.object(of: target.session), key: target.key, device: target.device)
        else { return answer.frame(for: slot, ifLost: target.resumeState(.lost)) }
        return .completed(
            Completed(
                size: completed.size, evidence: completed.evidence, partBytes: completed.partBytes,
                etag: completed.etag, version: completed.version, location: completed.location, receipt: receipt))
    }

    /// Makes a receipt at once; `nil` if this gateway makes none, or if signing fails, which is logged. The object is
    /// stored in any case, so the caller then answers without a receipt. `key` is the whole key, prefix included.
    ///
    /// Signing takes some 60 µs of CPU with an Ed25519 key and 30 µs with a P-256 key (measured with `openssl speed`),
    /// far less time than the preceding request to the store. So the machine does not wait for a thread.
    mutating func receipt(for object: ProvenObject, key: String, device: AuthorisedDevice) -> ReceiptSignature? {
        guard let signer = cryptography.receiptKey else { return nil }
        switch object.evidence {
        case .root, .wholeDigest: break
        case .none, .compositeMD5: return nil  // No receipt may state evidence of these kinds.
        }
        let statement = ReceiptStatement(
            of: object, key: key, device: device.name, storeIdentity: limits.storeIdentity,
            siteKey: signer.fingerprint, timeMilliseconds: wallMilliseconds)
        // try?: if a text is too long for a statement, no receipt can be made. The gateway handles that like a failure
        // of the cryptography.
        guard let bytes = try? statement.encoded(), let signature = cryptography.signature(of: bytes),
            let receipt = ReceiptSignature(timeMilliseconds: wallMilliseconds, bytes: signature)
        else {
            actions.append(.note(.unsigned(device: device.name)))
            return nil
        }
        return receipt
    }
}
