import WireProtocol

// The receipt that the user wants for a file. It arrives with COMPLETED, or the agent asks for it by PROVE after the
// file is stored.

extension AgentUpload {
    /// Judges the receipt of an object that was completed as this file.
    ///
    /// - Parameter isCompared: the gateway's evidence equals the file's digest. A receipt with other evidence would
    ///   state something about the file that the agent cannot check.
    func receipt(
        of completed: Completed, isCompared: Bool, at place: Attachment, _ context: inout AgentContext
    ) -> ReceiptOutcome {
        guard request.wantsReceipt else { return .notAskedFor }
        guard isCompared else { return .missing }
        return context.receipt(
            completed.receipt, of: completed.object(of: session.id), key: request.key, for: id, on: place.connection)
    }

    /// The outcome is durable and is reported now. But if the user wants a receipt and none has arrived, the agent
    /// first asks a gateway for it.
    func report(_ outcome: UploadOutcome, _ context: inout AgentContext) {
        guard case .stored(let receipt, let wasThere) = outcome, receipt.signed == .missing, let root = receipt.root,
            receipt.partBytes > 0, let stamp = session.stamp, context.phase == .running, context.isReceiptToBeHad
        else { return context.actions.append(.finish(id, outcome, progress)) }
        var stored = stamp
        stored.size = receipt.size
        context.proofsToBegin.append(
            AgentContext.ProofToBegin(
                request: ProofRequest(
                    id: id, key: request.key, stamp: stored, partBytes: receipt.partBytes, root: root),
                purpose: .receipt(receipt, wasThere: wasThere, progress)))
    }
}
