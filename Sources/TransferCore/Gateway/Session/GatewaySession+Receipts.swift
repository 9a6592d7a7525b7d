import TransferCommon
import WireProtocol

// The receipt of a settled session (specification §9.5). `StoredParts` has the evidence.

extension GatewaySession {
    /// Adds a receipt to COMPLETED, if the frame that opened the slot asked for one and the gateway knows the object's
    /// content. Returns any other frame unchanged.
    func withReceipt(_ frame: Frame, for attachment: Attachment, _ context: inout GatewayContext) -> Frame {
        guard case .completed(let completed) = frame, case .settled(_, true) = phase,
            context.slotsWithReceipt.contains(attachment),
            let receipt = context.receipt(for: completed.object(of: id), key: facts.key, device: device)
        else { return frame }
        return .completed(
            Completed(
                size: completed.size, evidence: completed.evidence, partBytes: completed.partBytes,
                etag: completed.etag, version: completed.version, location: completed.location, receipt: receipt))
    }
}
