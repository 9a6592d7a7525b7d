import TransferCommon
import WireProtocol

/// A session at one gateway: decides what to ask the store, what to send to the agent, and when.
///
///     from        event                                                              to
///     new         SESSION OPEN; RESUME QUERY                                         opening
///     new         another session adopts this one                                    open
///     opening     the store is ready for parts                                       open
///     opening     the store does not know the upload                                 searching
///     opening     a look finds an object of this session                             settled
///     opening     a look finds another object; the store fails; it gives way         ended
///     open        COMPLETE of several parts passes the checks                        completing
///     open        the upload is unknown; a condition failed; a conflict              searching
///     open        the store has the object of a one-part file                        settled
///     open        a look finds another object; a part cannot be stored               ended
///     searching   nothing forbids the completion                                     completing
///     searching   nothing forbids the one part, which the agent sends again          open
///     searching   a look finds an object of this session                             settled
///     searching   a look finds another object, and there is an upload                taken
///     searching   nothing is found for long enough; the store fails                  ended
///     completing  the store wants parts                                              open
///     completing  the upload is unknown; a condition failed; a conflict              searching
///     completing  the store has the object                                           settled
///     completing  a look finds another object                                        taken
///     completing  the store fails                                                    ended
///     settled     ABORT                                                              ended
///     any         ABORT of a session with an upload                                  aborting
///     aborting    the store lists no part; the store fails                           ended
///
/// *Another object* is one that the session may not replace, or that the agent compares with. An ABORT that finds
/// nothing to drop in the store ends the session at once. After a while without a slot the gateway forgets a session
/// that is open, settled or taken; it forgets an ended one at once.
///
/// The machines of this folder decide the details: `SessionOpening`, `IncomingPart`, `Completion`, `ObjectSearch`,
/// `UploadAbort`, `WriteGuard`, `AttachedSlot`. They only return results. `GatewaySession` applies the results: it
/// alone asks the store, answers the slots and requests log lines.
///
/// - The gateway reports a part as *stored* only after the store's own answer, and never revokes that by itself:
///   `stored` loses a part only if the store turns out to hold other content or another ETag, or not to hold the part.
/// - The session completes exactly the ETags that the agent listed, and only if they make one whole file.
/// - "The store does not know the upload" leads to a search for evidence, never to success or loss by itself.
/// - Every byte that the agent may send is reserved in the budget before the agent learns of it.
/// - Only an object that the session's write condition names is replaced.
struct GatewaySession: Hashable {
    /// The phases of the session, as the table in the comment on `GatewaySession` lists them.
    enum Phase: Hashable {
        /// The gateway has made the session, and has attached no slot to it yet.
        case new
        case opening(SessionOpening)
        case searching(Search)
        case open
        case completing(Completion)
        case aborting(UploadAbort)
        /// The store has the object. The gateway remembers the answer for a while, for an agent that has not received
        /// it.
        ///
        /// - isVerified: the evidence of the object is verified, so the gateway may sign it.
        case settled(Completed, isVerified: Bool)
        /// The key holds an object that this session may not replace. The gateway drops the upload, and remembers the
        /// answer for a while.
        case taken(SessionExists)
        case ended
    }

    let device: AuthorisedDevice
    var facts: SessionRecordFacts
    let plan: PartPlan
    var writeGuard: WriteGuard
    var phase: Phase
    var attached = AttachedSlots()
    /// The request whose answer the phase waits for.
    var request: StoreRequestID?
    var stored = StoredParts()
    /// What the offers say of a stream's length.
    var extent = StreamExtent()
    var parts = PartTable()
    /// Requests that were given up, with the digest of the part that each carries. A request may take effect until the
    /// store has answered it.
    var givenUp: [StoreRequestID: SHA256Digest] = [:]
    /// Drops the upload of a session that has ended without using it.
    var leftover = LeftoverUpload()

    var id: SessionID { facts.session }
    var isOnePart: Bool { plan.isOnePart }

    /// - Parameter compares: if the key holds an object of the file's size, the agent compares the file with it before
    ///   it sends anything.
    init(device: AuthorisedDevice, facts: SessionRecordFacts, plan: PartPlan, compares: Bool) {
        self.device = device
        self.facts = facts
        self.plan = plan
        self.writeGuard = WriteGuard(
            session: facts.session, condition: facts.terms.condition, plan: plan, compares: compares)
        self.phase = .new
    }

    // MARK: Beginning

    /// Called by the gateway once, for SESSION OPEN of a session that the gateway does not know.
    mutating func beginOpening(_ context: inout GatewayContext) {
        ask(.lookingUp, &context)
    }

    /// Called by the gateway once, for RESUME QUERY of a session that the gateway does not know.
    mutating func beginResuming(_ context: inout GatewayContext) {
        if isOnePart {
            ask(.lookingUp, &context)
        } else if let upload = facts.upload {
            ask(.listing(upload: upload), &context)
        } else {
            becomeOpen(&context)
        }
    }

    mutating func becomeOpen(_ context: inout GatewayContext) {
        phase = .open
        request = nil
        answerAllNowOpen(&context)
        decideWaitingParts(&context)
        if isOnePart { releaseIfComplete(&context) }
    }

    // MARK: Connections

    /// Called by the gateway when a slot begins to carry this session.
    mutating func attach(
        _ attachment: Attachment, asks question: AttachedSlot.Question, _ context: inout GatewayContext
    ) {
        attached.attach(AttachedSlot(attachment, asks: question))
        switch phase {
        case .open:
            answerNowOpen(attachment, &context)
        case .settled(let completed, _):
            answer(attachment, .completed(completed), &context)
        case .taken(let exists):
            answer(attachment, .sessionExists(exists), &context)
        case .completing:
            guard case .resume = question else { break }
            context.send(.resumeState(resumeState(.completing)), to: attachment)
            context.slotChanges.append(.open(attachment))  // The gateway then releases the list of RESUME QUERY.
            expectOutcome(at: attachment, &context)
        case .aborting:
            answer(attachment, .sessionRefused(.aborted), &context)
        case .new, .opening, .searching, .ended:
            break
        }
    }

    /// Called by the gateway when a connection is gone: the bytes of its parts stay for a while, so that the agent can
    /// continue the parts on its next connection.
    mutating func connectionLost(_ connection: ConnectionID, _ context: inout GatewayContext) {
        attached.connectionLost(connection, now: context.now)
        for number in parts.numbers(where: { $0.owner?.connection == connection }) {
            if let call = parts[number]?.connectionLost(now: context.now) {
                context.breaker.abandoned(call, now: context.now)
            } else {
                dropPart(number, &context)
            }
        }
    }

    /// Answers every slot that waits until the session is open.
    mutating func answerAllNowOpen(_ context: inout GatewayContext) {
        for attachment in attached.attachments { answerNowOpen(attachment, &context) }
    }

    private mutating func answerNowOpen(_ attachment: Attachment, _ context: inout GatewayContext) {
        // The answer to an earlier slot may have closed this one.
        guard let question = attached[attachment]?.question else { return }
        guard let token = context.token(for: facts, device: device) else {
            return answer(attachment, .sessionRefused(.defect("the gateway cannot seal a token")), &context)
        }
        let held = attached[attachment]?.answered() ?? []
        context.slotChanges.append(.open(attachment))
        switch question {
        case .open:
            let opened = SessionOpened(session: id, partBytes: plan.partBytes, token: token)
            context.send(.sessionOpened(opened), to: attachment)
        case .adopt:
            sendAdopted(token: token, to: attachment, &context)
        case .resume(let listed, let asksForPartials):
            sendResumeState(listed: listed, asksForPartials: asksForPartials, token: token, to: attachment, &context)
        }
        for decision in held { context.send(.partDecision(decision), to: attachment) }
        if parts.isWanted(by: attachment) { expectOutcome(at: attachment, &context) }
    }

    /// The slot is completing.
    mutating func expectOutcome(at attachment: Attachment, _ context: inout GatewayContext) {
        guard attached[attachment] != nil else { return }
        attached[attachment]?.completes()
        context.slotChanges.append(.completing(attachment))
    }

    /// Answers a slot with the frame that closes the slot, and drops the parts that are being sent in it.
    mutating func answer(_ attachment: Attachment, _ frame: Frame, _ context: inout GatewayContext) {
        let frame = withReceipt(frame, for: attachment, &context)
        leave(attachment, &context)
        context.send(frame, to: attachment)
        context.slotChanges.append(.closed(attachment, isFruitful: frame.tellsOfObject))
    }

    // MARK: Time

    /// The next moment at which `tick` has something to do.
    func nextDeadline(_ limits: GatewayLimits) -> Instant? {
        let forgottenAt = mayBeForgotten ? attached.detachedAt.map { $0 + limits.sessionGrace } : nil
        return earlier(earlier(parts.nextDeadline(grace: limits.partGrace), forgottenAt), pauseEnd)
    }

    /// When the pause of the phase ends; `nil` if the phase does not pause.
    private var pauseEnd: Instant? {
        switch phase {
        case .searching(let search): search.looks.nextDeadline
        case .completing(let completion): completion.nextDeadline
        case .aborting(let abort): abort.nextDeadline
        default: nil
        }
    }

    /// Called by the gateway when `nextDeadline` has passed.
    mutating func tick(_ context: inout GatewayContext) {
        for number in parts.due(grace: context.limits.partGrace, now: context.now) { dropPart(number, &context) }
        guard let pauseEnd, pauseEnd <= context.now else { return }
        switch phase {
        case .searching(let search): lookAgain(search, &context)
        case .completing(let completion): completeAgain(completion, &context)
        case .aborting(let abort): abortAgain(abort, &context)
        default: break
        }
    }

    /// Whether the gateway can forget the session without loss: it has no slot, holds no bytes, and no request to the
    /// store is under way.
    func isForgettable(_ limits: GatewayLimits, now: Instant) -> Bool {
        if phase == .ended { return true }
        guard let detachedAt = attached.detachedAt, mayBeForgotten else { return false }
        return detachedAt + limits.sessionGrace <= now
    }

    /// Whether the session has ended and is kept only for an agent that may ask again.
    var isOnlyRemembered: Bool {
        switch phase {
        case .settled, .taken: attached.isEmpty && parts.isEmpty && leftover.isIdle
        default: false
        }
    }

    /// The order in which remembered sessions are forgotten when room is needed. The id decides between equals, so that
    /// the order is always the same.
    static func isOlder(_ left: GatewaySession, _ right: GatewaySession) -> Bool {
        let never = Instant(nanoseconds: .max)
        return (left.attached.detachedAt ?? never, left.id) < (right.attached.detachedAt ?? never, right.id)
    }

    /// Whether no request to the store is under way and no bytes are held. Both end by themselves; only then may the
    /// session be forgotten.
    private var mayBeForgotten: Bool {
        switch phase {
        case .open, .settled, .taken: parts.isEmpty && leftover.isIdle && (isOnePart || givenUp.isEmpty)
        default: false
        }
    }
}

extension SessionRefused {
    /// - Parameter message: what is wrong, in words for a person; never empty.
    init(_ code: ErrorCode, retryAfter: Duration = .zero, message: String) {
        self.init(code: code, retryAfterMilliseconds: retryAfter.wireMilliseconds, message: message)
    }

    var asSessionError: ErrorReport {
        ErrorReport(
            scope: .session, code: code, retryAfterMilliseconds: retryAfterMilliseconds, message: message)
    }

    /// The refusal for a state that cannot occur unless this program has an error.
    static func defect(_ message: String) -> SessionRefused { SessionRefused(.internal, message: message) }

    static let aborted = SessionRefused(.superseded, message: "the session was aborted")
}

extension GatewaySession {
    /// Whether this session may be adopted: no slot carries it, and it waits for parts (specification §8.3).
    var isAdoptable: Bool { phase == .open && attached.isEmpty }

    /// Whether a stopping gateway waits for the session.
    var isBusy: Bool {
        switch phase {
        case .new, .ended, .settled, .taken: false
        case .open: parts.isFed
        default: true
        }
    }
}
