import TransferCommon
import WireProtocol

// What a session knows of its parts by more than the agent's word, and the receipt that stands on it (specification
// §9.5).

/// The parts of a session whose digests are known to be those of the stored bytes.
///
/// Two things count: the store has confirmed bytes that this gateway received, where one of the two has compared the
/// digest; or the store's own list names the digest. What an agent lists, and a part that only an MD5 speaks for, do
/// not count.
struct PartEvidence: Hashable {
    private var entries: [PartNumber: PartListEntry] = [:]

    /// The store has confirmed a part that this gateway received.
    mutating func add(_ entry: PartListEntry) {
        entries[entry.part] = entry
    }

    /// The store has listed its parts. One that it lists under another name than before, without a digest, is another
    /// part of which nothing is known.
    mutating func listed(_ listing: [PartListEntry]) {
        for entry in listing {
            if entry.digest != nil {
                entries[entry.part] = entry
            } else if let known = entries[entry.part], !known.isSameAsStored(entry) {
                entries[entry.part] = nil
            }
        }
    }

    /// Whether each part of the list is known to have the digest that the list names.
    func covers(_ list: [PartListEntry]) -> Bool {
        list.allSatisfy { listed in
            guard let known = entries[listed.part], let digest = known.digest else { return false }
            return digest == listed.digest && known.isSameAsStored(listed)
        }
    }
}

extension GatewaySession {
    /// COMPLETED with a receipt, where the frame that opened the slot asked for one and the gateway knows the object's
    /// content; any other frame as it is.
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
