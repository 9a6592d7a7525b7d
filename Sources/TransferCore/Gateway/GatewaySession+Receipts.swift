import TransferCommon
import WireProtocol

// Evidence of what the stored parts hold, and the receipt that the evidence allows (specification §9.5).

/// The parts of a session whose stored bytes have a known digest.
///
/// Two things are evidence: the store has confirmed bytes that this gateway received, and one of the two has compared
/// the digest; or the store's own list names the digest. A list of the agent is none, and neither is an MD5.
struct PartEvidence: Hashable {
    private var entries: [PartNumber: PartListEntry] = [:]

    /// The store has confirmed a part that this gateway received.
    mutating func add(_ entry: PartListEntry) {
        entries[entry.part] = entry
    }

    /// The store has listed its parts. A part that it lists without a digest, and under another ETag than before, is
    /// another part, and nothing is known of it.
    mutating func listed(_ listing: [PartListEntry]) {
        for entry in listing {
            if entry.digest != nil {
                entries[entry.part] = entry
            } else if let known = entries[entry.part], !known.isSameAsStored(entry) {
                entries[entry.part] = nil
            }
        }
    }

    /// Whether there is evidence that each part of the list has the digest that the list names.
    func covers(_ list: [PartListEntry]) -> Bool {
        list.allSatisfy { listed in
            guard let known = entries[listed.part], let digest = known.digest else { return false }
            return digest == listed.digest && known.isSameAsStored(listed)
        }
    }
}

extension GatewaySession {
    /// Adds a receipt to COMPLETED, if the frame that opened the slot asked for one and the gateway knows the object's
    /// content. Returns any other frame unchanged.
    func withReceipt(_ frame: Frame, for attachment: Attachment, _ context: inout GatewayContext) -> Frame {
        guard case .completed(let completed) = frame, isVerified, context.slotsWithReceipt.contains(attachment),
            let receipt = context.receipt(for: completed.object(of: id), key: facts.key, device: device)
        else { return frame }
        return .completed(
            Completed(
                size: completed.size, evidence: completed.evidence, partBytes: completed.partBytes,
                etag: completed.etag, version: completed.version, location: completed.location, receipt: receipt))
    }
}
