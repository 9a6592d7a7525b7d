import WireProtocol

// The receipt that the user wants of a file: it comes with COMPLETED, or the agent asks for it by PROVE once the file
// is stored.

extension AgentUpload {
    /// What becomes of the receipt of an object that was completed as this file.
    ///
    /// - Parameter isCompared: the gateway's evidence was found to be the file's. A receipt with other evidence would
    ///   state something about the file that the agent does not know.
    func receipt(
        of completed: Completed, isCompared: Bool, at place: Attachment, _ context: inout AgentContext
    ) -> ReceiptOutcome {
        guard request.wantsReceipt else { return .notAskedFor }
        guard isCompared else { return .missing }
        return context.receipt(
            completed.receipt, of: completed.object(of: session.id), key: request.key, for: id, on: place.connection)
    }

    /// The outcome is durable: it is reported, unless a gateway is first asked for the receipt that did not come.
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
