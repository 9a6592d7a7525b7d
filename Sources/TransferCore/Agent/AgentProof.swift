import TransferCommon
import WireProtocol

// Asking a gateway by PROVE whether the store holds a file's content under a key (specification §9.6), for a user who
// wants to know, or for the receipt of an object that was stored without one.
//
// Invariants
// - What is asked about is what was read: the digest is of the file with the stamp that the request names.
// - A receipt that is kept is durable in the journal before the outcome is told.
// - Nothing is begun at a gateway that costs more than a look: only the answer matters, and it may be asked for again.
//
//   from       event                                          to
//   waiting    no digest yet, and the part size is known      hashing
//   hashing    the file was read, and is what it was          waiting
//   hashing    it changed, or cannot be read                  ended(failed)
//   waiting    a slot is free, the time has come              proving
//   proving    PROVEN                                         ended, or recording
//   proving    SESSION REFUSED, ERROR of session scope        waiting, or ended(failed), by the code (§12)
//   proving    another frame that closes the slot             waiting
//   proving    the connection lost                            waiting
//   recording  the receipt is durable                         ended
//   any        the run ends                                   ended(failed)
struct AgentProof: Hashable {
    /// Who wants to know.
    enum Purpose: Hashable {
        /// A user: the answer is the outcome.
        case question
        /// The file of an upload that ended is stored, without the receipt that its user wants.
        case receipt(UploadReceipt, wasThere: Bool, UploadProgress)
    }

    enum Phase: Hashable {
        case waiting(until: Instant)
        case hashing
        case proving(Attachment)
        case recording(JournalSequence, ProofOutcome)
        case ended
    }

    let request: ProofRequest
    /// Where it stands in the order of submission, counted from 1.
    let submissionOrder: UInt64
    private let purpose: Purpose
    private(set) var phase: Phase
    private var partBytes: UInt64?
    private var root: SHA256Digest?
    /// Attempts that a gateway has answered with a code.
    private var failures = 0
    /// What the last trouble was, for the day the agent gives up.
    private(set) var trouble: UploadFailure?

    /// How often a gateway may defer an answer that nothing but a receipt depends on.
    private static let refusalsOfReceiptMax = 3

    init(_ request: ProofRequest, purpose: Purpose, submissionOrder: UInt64, now: Instant) {
        self.request = request
        self.submissionOrder = submissionOrder
        self.purpose = purpose
        self.phase = .waiting(until: now)
        self.partBytes = request.partBytes
        self.root = request.root
    }

    /// Reading is progress that only the shell sees; and who has allowed the gateway to read the object waits for as
    /// long as the connection lives.
    func isPatient(_ context: AgentContext) -> Bool {
        switch phase {
        case .hashing: true
        case .proving: request.readsBack && awaitsAnswer(context)
        case .waiting, .recording, .ended: false
        }
    }

    func awaitsAnswer(_ context: AgentContext) -> Bool {
        guard case .proving(let attachment) = phase else { return false }
        return context.connections[attachment.connection]?.isOpen == true
    }

    /// What the slot is to its gateway.
    func slotState(at place: Attachment) -> AgentSlotState { phase == .proving(place) ? .proving : .closed }

    func isProving(on connection: ConnectionID) -> Bool {
        guard case .proving(let attachment) = phase else { return false }
        return attachment.connection == connection
    }

    // MARK: What it does

    /// Does all that it can do now.
    mutating func doWhatItCan(_ context: inout AgentContext) -> AgentUpload.Needs {
        var needs = AgentUpload.Needs()
        guard case .waiting(let until) = phase else { return needs }
        needs.wake(at: until, context)
        guard until <= context.now else { return needs }
        guard let root else {
            hash(&context)
            return needs
        }
        guard let partBytes, let connection = context.connections.leastUsed(),
            let slot = context.connections[connection]?.takeSlot(for: request.id)
        else {
            needs.slot = true
            return needs
        }
        let attachment = Attachment(connection: connection, slot: slot)
        phase = .proving(attachment)
        let prove = Prove(
            size: request.stamp.size, partBytes: partBytes, root: root, key: request.key, readsBack: request.readsBack)
        context.send(.prove(prove), to: attachment)
        return needs
    }

    /// Has the file read, as soon as its part size is known: where nobody has named one, a gateway that is connected
    /// says which it would be.
    private mutating func hash(_ context: inout AgentContext) {
        if partBytes == nil {
            guard let connection = context.connections.leastUsed(),
                let welcome = context.connections[connection]?.welcome
            else { return }
            do throws(PartRule.Refusal) {
                partBytes = try welcome.rule.partBytes(fileBytes: request.stamp.size, wish: nil)
            } catch {
                return end(.failed(error.failure), &context)
            }
        }
        guard let partBytes else { return }
        phase = .hashing
        context.actions.append(
            .computeEvidence(request.id, bytes: request.stamp.size, partBytes: partBytes, like: .root(.zero)))
    }

    /// The shell has read the file.
    mutating func evidenceComputed(_ reading: EvidenceReading, _ context: inout AgentContext) {
        guard phase == .hashing else { return }
        switch reading {
        case .computed(.root(let digest), let later) where request.stamp.difference(whileReading: later) != .changed:
            root = digest
            phase = .waiting(until: context.now)
        case .computed:
            end(.failed(UploadFailure(.changed, "the file changed while it was being read")), &context)
        case .failed(let failure):
            end(.failed(failure), &context)
        }
    }

    // MARK: Answers

    /// A frame that closes the slot. The agent has given the slot back.
    mutating func received(_ frame: Frame, at attachment: Attachment, _ context: inout AgentContext) {
        guard phase == .proving(attachment) else { return }
        switch frame {
        case .proven(let proven):
            context.progressAt = context.now
            received(proven, on: attachment.connection, &context)
        case .sessionRefused(let refused):
            self.refused(refused.code, refused.message, adviceMilliseconds: refused.retryAfterMilliseconds, &context)
        case .error(let report):
            refused(report.code, report.message, adviceMilliseconds: report.retryAfterMilliseconds, &context)
        default:
            failures += 1
            tryAgain(after: context.retryDelay(afterFailures: failures), &context)
        }
    }

    private mutating func received(_ proven: Proven, on connection: ConnectionID, _ context: inout AgentContext) {
        switch proven {
        case .absent: end(.absent, &context)
        case .different(let object): end(.different(size: object.size), &context)
        case .unknown: end(.unknown, &context)
        case .proven(let object, let signature):
            guard agrees(object, context) else {
                let message = "the gateway says that the object is this file, and shows evidence of another"
                return end(.failed(UploadFailure(.protocolViolation, message)), &context)
            }
            let receipt = context.receipt(
                signature, of: object, key: request.key, for: request.id, on: connection)
            end(.proven(receipt), &context)
        }
    }

    /// Whether what the gateway has judged by is this file's.
    private func agrees(_ object: ProvenObject, _ context: AgentContext) -> Bool {
        guard let root, let partBytes, object.size == request.stamp.size else { return false }
        switch object.evidence {
        case .root(let there): return there == root
        case .wholeDigest(let there):
            return object.size <= partBytes && context.cryptography.rootDigest(of: [there]) == root
        case .compositeMD5, .none: return false
        }
    }

    private mutating func refused(
        _ code: ErrorCode, _ message: String, adviceMilliseconds: UInt32, _ context: inout AgentContext
    ) {
        let failure = UploadFailure(code, message: message)
        switch FailureRule.reaction(to: code, in: .session) {
        case .report, .stop: return end(.failed(failure), &context)
        case .tryAgain, .reconnect, .beginAnew, .readAgain: break
        }
        failures += 1
        trouble = failure
        if case .receipt = purpose, failures >= Self.refusalsOfReceiptMax { return end(.failed(failure), &context) }
        context.reportWait(of: request.id, code, message: message)
        tryAgain(
            after: context.storeDelay(afterFailures: failures, code: code, adviceMilliseconds: adviceMilliseconds),
            &context)
    }

    private mutating func tryAgain(after delay: Duration, _ context: inout AgentContext) {
        phase = .waiting(until: context.now + delay)
    }

    mutating func connectionLost(_ connection: ConnectionID, _ context: inout AgentContext) {
        guard isProving(on: connection) else { return }
        tryAgain(after: .zero, &context)
    }

    // MARK: Ending

    /// The run ends, or has waited for long enough. What is on its way to the disk is waited for, unless the journal
    /// is what has failed.
    mutating func giveUp(_ failure: UploadFailure, _ context: inout AgentContext) {
        switch phase {
        case .recording where context.isJournalLost, .waiting, .hashing:
            finish(.failed(failure), &context)
        case .proving(let attachment):
            leave(attachment, &context)
            finish(.failed(failure), &context)
        case .recording, .ended:
            break
        }
    }

    /// Where the run has ended, its connections end with it, and nobody is told.
    private func leave(_ attachment: Attachment, _ context: inout AgentContext) {
        if context.phase.verdict != nil { return }
        context.connections[attachment.connection]?.withOpen { $0.leave(attachment.slot, of: request.id) }
        context.send(.sessionLeave(SessionLeave()), to: attachment)
    }

    /// Called by the agent when the journal has become durable that far.
    mutating func journalCommitted(through sequence: JournalSequence, _ context: inout AgentContext) {
        guard case .recording(let awaited, let outcome) = phase, awaited <= sequence else { return }
        finish(outcome, &context)
    }

    private mutating func end(_ outcome: ProofOutcome, _ context: inout AgentContext) {
        guard case .proven(.kept(let receipt)) = outcome else { return finish(outcome, &context) }
        phase = .recording(context.journal(.receipt(receipt), awaitedBy: request.id), outcome)
    }

    private mutating func finish(_ outcome: ProofOutcome, _ context: inout AgentContext) {
        phase = .ended
        switch purpose {
        case .question:
            context.actions.append(.answered(request.id, outcome))
        case .receipt(var receipt, let wasThere, let progress):
            if case .proven(let signed) = outcome { receipt.signed = signed }
            context.actions.append(.finish(request.id, .stored(receipt, wasThere: wasThere), progress))
        }
    }
}
