import TransferCommon
import WireProtocol

/// Asks a gateway by PROVE whether the store holds a file's content under a key (specification §9.6): for a user, or
/// for the receipt of an object that was stored without one.
///
///     from       event                                                  to
///     waiting    the digest is missing, and the part size is known      hashing
///     waiting    no gateway takes a file of this size                   ended
///     waiting    a slot is free, and the wait is over                   proving
///     hashing    the shell has read the file, and it is unchanged       waiting
///     hashing    the file changed, or cannot be read                    ended
///     proving    PROVEN with a receipt that is kept                     recording
///     proving    PROVEN without one; a code that is reported (§12)      ended
///     proving    another code; another frame; the connection is lost    waiting
///     recording  the receipt is durable in the journal                  ended
///     any        the run ends                                           ended
///
/// Invariants:
/// - PROVE asks about exactly the version of the file that the request names: the digest is of the file with that
///   stamp.
/// - A receipt that is kept is durable in the journal before the outcome is reported.
/// - If a user has asked, and the object is the file, the journal gets a proof of it. So `check` without a gateway and
///   the next push know the file, also after the journal was lost.
/// - PROVE can be repeated without harm: it costs the gateway at most one look-up, or a read of the object if the user
///   allows it.
struct AgentProof: Hashable {
    /// What the answer is for.
    enum Purpose: Hashable {
        /// A user has asked, and the answer is the outcome.
        case question
        /// An upload ended without its receipt. If the key does not hold the object any more, `else` begins.
        case receipt(UploadReceipt, wasThere: Bool, UploadProgress, else: UploadRequest?)
    }

    enum Phase: Hashable {
        case waiting(until: Instant)
        case hashing
        case proving(Attachment)
        case recording(JournalSequence, ProofOutcome)
        case ended
    }

    let request: ProofRequest
    /// The position of the proof in the order of submission, counted from 1.
    let submissionOrder: UInt64
    private let purpose: Purpose
    private(set) var phase: Phase
    private var partBytes: UInt64?
    private var root: SHA256Digest?
    /// Whether the file had the stamp of the request after it was read; false also if only its times have changed.
    private var hasSameStamp = true
    /// The proof of the file that the gateway has found to be stored.
    private var proof: UploadReceipt?
    /// How many attempts a gateway has answered with an error code.
    private var failures = 0
    /// The upload that begins when the proof has ended, because the key does not hold the file.
    private(set) var next: UploadRequest?
    /// The reason for the last wait, reported if the agent gives up.
    private(set) var trouble: UploadFailure?
    private var answer = AwaitedAnswer()

    private static let refusalsOfReceiptMax = 3

    init(_ request: ProofRequest, purpose: Purpose, submissionOrder: UInt64, now: Instant) {
        self.request = request
        self.submissionOrder = submissionOrder
        self.purpose = purpose
        self.phase = .waiting(until: now)
        self.partBytes = request.partBytes
        self.root = request.root
    }

    /// Whether the file or the object is being read, which no frame shows: the agent must not give up meanwhile.
    func isPatient(_ context: AgentContext) -> Bool {
        switch phase {
        case .hashing: true
        case .proving: request.readsBack && answerDueSince(context) != nil
        case .waiting, .recording, .ended: false
        }
    }

    /// When the answer to PROVE became due; `nil` if no answer is due, or if the gateway does not answer PING.
    func answerDueSince(_ context: AgentContext) -> Instant? {
        context.connections.isHeard(connections, now: context.now) ? answer.dueSince : nil
    }

    /// The failure to report if the agent gives up now; `nil` if no answer is owed and the proof never had to wait.
    func trouble(_ context: AgentContext) -> UploadFailure? {
        answerDueSince(context) == nil ? trouble : .gatewayAtWork(isKept: false)
    }

    private var connections: Set<ConnectionID> {
        if case .proving(let attachment) = phase { [attachment.connection] } else { [] }
    }

    /// The state of a slot: `proving` if this proof uses the slot, otherwise `closed`.
    func slotState(at place: Attachment) -> AgentSlotState { phase == .proving(place) ? .proving : .closed }

    func isProving(on connection: ConnectionID) -> Bool {
        guard case .proving(let attachment) = phase else { return false }
        return attachment.connection == connection
    }

    // MARK: Asking

    /// Takes every step that is possible now.
    mutating func doWhatItCan(_ context: inout AgentContext) -> UploadNeeds {
        noteAwaitedAnswer(&context)
        var needs = ask(&context)
        noteAwaitedAnswer(&context)
        if let moment = answer.tellsAt(context.limits.answerToldAfter) { needs.wake(at: moment, now: context.now) }
        return needs
    }

    private mutating func noteAwaitedAnswer(_ context: inout AgentContext) {
        let on = connections
        context.note(on.isEmpty ? nil : .prove, on: on, of: request.id, in: &answer)
    }

    private mutating func ask(_ context: inout AgentContext) -> UploadNeeds {
        var needs = UploadNeeds()
        guard case .waiting(let until) = phase else { return needs }
        needs.wake(at: until, now: context.now)
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

    /// If the request names no part size, the agent uses the one that a connected gateway would choose.
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

    /// Takes the root digest of the file that the shell has read, or ends the proof if the file has changed.
    mutating func evidenceComputed(_ reading: EvidenceReading, _ context: inout AgentContext) {
        guard phase == .hashing else { return }
        switch reading {
        case .computed(.root(let digest), let later) where request.stamp.difference(whileReading: later) != .changed:
            root = digest
            hasSameStamp = later == request.stamp
            phase = .waiting(until: context.now)
        case .computed:
            end(.failed(.changedWhileRead), &context)
        case .failed(let failure):
            end(.failed(failure), &context)
        }
    }

    // MARK: Answers

    /// Judges the frame that has closed the slot of PROVE, which the agent has released already.
    mutating func received(_ frame: Frame, at attachment: Attachment, _ context: inout AgentContext) {
        guard phase == .proving(attachment) else { return }
        switch frame {
        case .proven(let proven):
            received(proven, on: attachment.connection, &context)
        case .sessionRefused(let refused):
            self.refused(GatewayRefusal(refused), &context)
        case .error(let report):
            refused(GatewayRefusal(report), &context)
        default:
            failures += 1
            tryAgain(after: context.clock.retryDelay(afterFailures: failures), &context)
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
            proof = proof(by: object, at: context.connections[connection]?.welcome?.site)
            end(.proven(receipt), &context)
        }
    }

    private func agrees(_ object: ProvenObject, _ context: AgentContext) -> Bool {
        guard let root, let partBytes, object.size == request.stamp.size else { return false }
        switch object.evidence {
        case .root(let there): return there == root
        case .wholeDigest(let there):
            return object.size <= partBytes && context.cryptography.rootDigest(of: [there]) == root
        case .compositeMD5, .none: return false
        }
    }

    /// The proof for the journal. It names the session that wrote the object, if the store tells it; the journal
    /// decides whether that session was the agent's own.
    private func proof(by object: ProvenObject, at site: DeviceSite?) -> UploadReceipt? {
        guard let site, let root, let partBytes else { return nil }
        var proof = UploadReceipt(
            size: object.size, partBytes: partBytes, root: root, evidence: .root(root), etag: object.etag,
            version: object.version, session: object.session, stamp: request.stamp)
        proof.site = site
        proof.stampCounts = request.stampCounts && hasSameStamp
        return proof
    }

    private mutating func refused(_ refusal: GatewayRefusal, _ context: inout AgentContext) {
        let failure = refusal.failure
        switch FailureRule.reaction(to: refusal.code, in: .session) {
        case .report, .stop: return end(.failed(failure), &context)
        case .tryAgain, .reconnect, .beginAnew, .readAgain: break
        }
        failures += 1
        trouble = failure
        if case .receipt = purpose, failures >= Self.refusalsOfReceiptMax { return end(.failed(failure), &context) }
        context.reportWait(of: request.id, refusal)
        tryAgain(after: context.clock.storeDelay(afterFailures: failures, refusal), &context)
    }

    private mutating func tryAgain(after delay: Duration, _ context: inout AgentContext) {
        phase = .waiting(until: context.now + delay)
    }

    mutating func connectionLost(_ connection: ConnectionID, _ context: inout AgentContext) {
        guard isProving(on: connection) else { return }
        tryAgain(after: .zero, &context)
    }

    // MARK: Ending

    /// The run ends, or has made no progress for too long. If a receipt is being written to the journal, the proof
    /// first waits for this write, unless the journal has failed.
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

    /// Sends SESSION LEAVE, unless the run has ended: the agent's connections then end anyway.
    private func leave(_ attachment: Attachment, _ context: inout AgentContext) {
        if context.phase.verdict != nil { return }
        context.connections[attachment.connection]?.withOpen { $0.leave(attachment.slot, of: request.id) }
        context.send(.sessionLeave(SessionLeave()), to: attachment)
    }

    /// All journal writes up to this one are durable.
    mutating func journalCommitted(through sequence: JournalSequence, _ context: inout AgentContext) {
        guard case .recording(let awaited, let outcome) = phase, awaited <= sequence else { return }
        finish(outcome, &context)
    }

    private mutating func end(_ outcome: ProofOutcome, _ context: inout AgentContext) {
        context.progressAt = context.now
        guard case .proven(.kept(let receipt)) = outcome else { return finish(outcome, &context) }
        phase = .recording(context.journal(.receipt(receipt), awaitedBy: request.id), outcome)
    }

    private mutating func finish(_ outcome: ProofOutcome, _ context: inout AgentContext) {
        phase = .ended
        switch purpose {
        case .question:
            if outcome.isOtherThanFile { context.journal(.doubted(key: request.key)) }
            if case .proven = outcome, let proof { context.journal(.proved(key: request.key, proof)) }
            context.actions.append(.answered(request.id, outcome))
        case .receipt(var receipt, let wasThere, let progress, let upload):
            if let upload, outcome.isOtherThanFile {
                next = upload
                return
            }
            if case .proven(let signed) = outcome { receipt.signed = signed }
            context.actions.append(.finish(request.id, .stored(receipt, wasThere: wasThere), progress))
        }
    }
}
