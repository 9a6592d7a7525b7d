import TransferCommon
import WireProtocol

// Proofs among the uploads of an agent: they use the same connections and slots, and wait in the same queues. A number
// names an upload or a proof, never both: an upload that ended without its receipt becomes a proof.

extension Agent {
    mutating func prove(_ request: ProofRequest) {
        if let refusal {
            context.actions.append(.answered(request.id, .failed(refusal)))
            return
        }
        if isIdle { context.progressAt = context.now }
        begin(AgentProof(request, purpose: .question, submissionOrder: nextSubmissionOrder(), now: context.now))
        proceed()
    }

    private mutating func begin(_ proof: AgentProof) {
        proofs[proof.request.id] = proof
        touch(proof.request.id)
    }

    /// Uploads that ended without the receipt that their users want go on as proofs.
    mutating func beginProofsOfReceipts() {
        let ended = context.proofsToBegin
        context.proofsToBegin = []
        for proof in ended {
            begin(
                AgentProof(
                    proof.request, purpose: proof.purpose, submissionOrder: nextSubmissionOrder(), now: context.now))
        }
    }

    /// Does all that a proof can do now.
    mutating func doWhatProofCan(_ id: UploadID) -> AgentUpload.Needs? {
        let needs = proofs[id]?.doWhatItCan(&context)
        removeIfEnded(id)
        return needs
    }

    /// The slot's state where a proof has it.
    func proofState(at attachment: Attachment, of id: UploadID) -> AgentSlotState? {
        guard let proof = proofs[id] else { return nil }
        return proof.phase == .proving(attachment) ? .proving : .closed
    }

    /// A frame that closes a slot has come in one that a proof has.
    mutating func receivedInProofSlot(_ frame: Frame, at attachment: Attachment, of id: UploadID) {
        context.connections[attachment.connection]?.withOpen { $0.closed(attachment.slot) }
        proofs[id]?.received(frame, at: attachment, &context)
        removeIfEnded(id)
        touch(id)
    }

    mutating func proofEvidenceComputed(_ reading: EvidenceReading, of id: UploadID) {
        proofs[id]?.evidenceComputed(reading, &context)
        removeIfEnded(id)
    }

    mutating func proofJournalCommitted(through sequence: JournalSequence, of id: UploadID) {
        proofs[id]?.journalCommitted(through: sequence, &context)
        removeIfEnded(id)
    }

    /// The proofs that have asked on a connection ask elsewhere.
    mutating func proofsLose(_ connection: ConnectionID) {
        for id in proofsInOrder where proofs[id]?.isProving(on: connection) == true {
            proofs[id]?.connectionLost(connection, &context)
            touch(id)
        }
    }

    /// The run ends, or has waited for long enough.
    ///
    /// - Parameter failure: said of those that have had no trouble of their own.
    mutating func giveUpProofs(_ failure: UploadFailure, hadTrouble: Bool = false) {
        for id in proofsInOrder {
            let trouble = hadTrouble ? proofs[id]?.trouble : nil
            proofs[id]?.giveUp(trouble ?? failure, isJournalLost: isJournalLost, &context)
            removeIfEnded(id)
        }
    }

    /// The uploads of these ids, in the order of submission.
    private var proofsInOrder: [UploadID] {
        proofs.values.sorted { $0.submissionOrder < $1.submissionOrder }.map(\.request.id)
    }

    private mutating func removeIfEnded(_ id: UploadID) {
        if proofs[id]?.phase == .ended { proofs[id] = nil }
    }
}
